/** The files that an object is made of, from the list that the compiler writes for make: `object.o: a.c b.h \` and more lines. */
export function inputsOf(depfile: string): string[] {
  const words =
    depfile
      .replace(/^[^:]*:/, "")
      .replaceAll("\\\n", " ")
      .match(/(?:\\[ #]|\S)+/g) ?? [];
  // A space is written so that make does not divide there.
  return words.map((word) => word.replace(/\\([ #])/g, "$1").replaceAll("$$", "$"));
}
