import { SutureError } from "@suture/errors";

/** The code of the typed error that `work` throws; undefined if it ends well. Any other error is thrown on: it is a fault. */
export function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof SutureError) return error.code;
    throw error;
  }
}

export async function codeOfAsync(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof SutureError) return error.code;
    throw error;
  }
}
