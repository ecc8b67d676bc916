import { expect, it } from "vitest";
import { seriesOf } from "./own.ts";

it.each([
  [
    "6.1.0-56-cloud-amd64",
    ["6.1.0-57-cloud-amd64", "6.1.0-9-cloud-amd64"],
    ["6.1.0-56-amd64", "6.12.0-56-cloud-amd64", "6.1.1+deb12-cloud-amd64"],
  ],
  [
    "6.12.118+deb13-cloud-amd64",
    ["6.12.9+deb13-cloud-amd64"],
    ["6.12.118+deb12-cloud-amd64", "6.12.118+deb13-amd64", "7.3.4+deb13-cloud-amd64"],
  ],
])("the series of %s", (release, of, not) => {
  const series = seriesOf(release);
  for (const each of [release, ...of]) expect(each).toMatch(series);
  for (const each of not) expect(each).not.toMatch(series);
});
