import { defineErrors } from "@suture/errors";

export const accountErrors = defineErrors({
  ACCOUNT_CHANGELOG: {
    cause: "A changelog cannot be read, or does not lead from the kernel that runs to the newer release.",
    mend: "Give the changelog of the newer release's package (usr/share/doc/linux-image-RELEASE/changelog.gz), unchanged.",
  },
  ACCOUNT_RECORDS: {
    cause: "The folder does not hold records of the kernel's CVE numbering authority.",
    mend: "Give the root of a clone of the kernel's vulns repository: it has cve/published/YEAR/CVE-*.json.",
  },
  ACCOUNT_NO_CVES: {
    cause: "An OpenVEX document is asked for, and there is no CVE to make a statement of.",
    mend: "Give --changelog, --cve-data or both; or leave --vex out.",
  },
  ACCOUNT_REPORT: {
    cause: "A file is no report of a catch-up.",
    mend: "Give what `suture catch-up --json` printed.",
  },
});

export const fail = accountErrors.fail;
