/** A release becomes part of file names and commands: only what kbuild allows, and at most what utsname holds. */
export function isRelease(text: string): boolean {
  return /^[0-9][A-Za-z0-9.+~_-]{0,63}$/.test(text);
}
