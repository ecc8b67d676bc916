/** Of a CVE record (CVE JSON 5) what is used here. It is anyone's text: whatever has another form is refused. */
import * as v from "valibot";

/** Control characters, and those that turn the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ODD = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

const line = (limit: number) =>
  v.pipe(
    v.string(),
    v.maxLength(limit),
    v.check((text) => !ODD.test(text), "it holds control characters"),
  );

const path = v.pipe(
  line(1000),
  v.check((text) => text !== "" && !text.startsWith("/") && !text.split("/").includes(".."), "it is no path inside of the kernel's source"),
);

export const recordSchema = v.object({
  cveMetadata: v.object({
    cveId: v.pipe(v.string(), v.regex(/^CVE-\d{4}-\d{4,7}$/)),
    state: v.picklist(["PUBLISHED", "REJECTED"]),
  }),
  containers: v.object({
    cna: v.object({
      title: v.exactOptional(line(2000)),
      affected: v.exactOptional(
        v.pipe(
          v.array(
            v.object({
              programFiles: v.exactOptional(v.pipe(v.array(path), v.maxLength(2000))),
              versions: v.exactOptional(
                v.pipe(
                  v.array(v.object({ version: line(200), lessThanOrEqual: v.exactOptional(line(200)), status: line(40) })),
                  v.maxLength(2000),
                ),
              ),
            }),
          ),
          v.maxLength(200),
        ),
      ),
    }),
  }),
});
