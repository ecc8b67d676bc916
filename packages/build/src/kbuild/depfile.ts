/** The files that an object is made of, from the list that the compiler writes for make: `object.o: a.c b.h \` and more lines. */
export function inputsOf(depfile: string): string[] {
  return depfile
    .replace(/^[^:]*:/, "")
    .split(/\s+/)
    .filter((word) => word !== "" && word !== "\\");
}
