import type { ListedKernel } from "@suture/sources";
import { expect, test } from "vitest";
import { flavourOf, worthShowing } from "./kernels.ts";

test("a flavour is what Debian has behind the version of a release", () => {
  const flavours = {
    "5.4.0-7-amd64": "amd64",
    "5.4.0-7-cloud-amd64": "cloud-amd64",
    "5.4.0-0.deb11.52-rt-amd64": "rt-amd64",
    "5.4.118+deb13-cloud-amd64": "cloud-amd64",
    "5.4.115+deb13.1-amd64": "amd64",
  };
  for (const [release, flavour] of Object.entries(flavours)) expect(flavourOf(release), release).toBe(flavour);
});

const listed = (release: string, suite: string, more: Partial<ListedKernel> = {}): ListedKernel => ({
  release,
  version: "1",
  suite,
  running: false,
  installed: false,
  archived: true,
  cached: undefined,
  obstacles: undefined,
  source: true,
  headers: true,
  featureset: undefined,
  compiler: { name: "gcc-9", installed: false, cached: [] },
  ...more,
});

test("of each suite, series and flavour the newest that can be built for is shown, and all that is here", () => {
  const kernels = [
    listed("5.5.3+deb13-amd64", "trixie", { source: false }),
    listed("5.5.2+deb13-cloud-amd64", "trixie"),
    listed("5.5.2+deb13-amd64", "trixie"),
    listed("5.5.1+deb13-amd64", "trixie", { cached: { bytes: 1 } }),
    listed("5.5.0+deb13-amd64", "trixie"),
    listed("5.5.0+deb13-amd64", "forky"),
    listed("5.4.9+deb13-amd64", "trixie"),
    listed("5.4.0-7-amd64", "", { archived: false, running: true }),
  ];
  const shown = (ofOneSuite: boolean): number[] => worthShowing(kernels, ofOneSuite).map((kernel) => kernels.indexOf(kernel));
  expect(shown(false)).toEqual([1, 2, 3, 5, 6, 7]);
  expect(shown(true)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("a kernel in the cache is shown also where its compiler is gone", () => {
  const gone = listed("5.4.0-7-amd64", "trixie", { archived: false, source: false, headers: false, cached: { bytes: 1 } });
  expect(worthShowing([gone], false)).toEqual([gone]);
});
