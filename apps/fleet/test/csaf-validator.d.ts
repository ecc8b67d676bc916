/** What is used of the validator of CSAF documents, which has no types that can be read here. */
declare module "@secvisogram/csaf-validator-lib/*.js" {
  interface Result {
    isValid: boolean;
    tests: { name: string; errors: { instancePath: string; message: string }[] }[];
  }
  export type DocumentTest = (document: unknown) => unknown;
  const validate: (tests: readonly DocumentTest[], document: unknown) => Promise<Result>;
  export default validate;
  export const csaf_2_0_strict: DocumentTest;
}
