/** The same as a VEX of CSAF 2.0 (profile csaf_vex). */
import { sha256 } from "@suture/files";
import { fail } from "../errors.ts";
import type { Judged } from "../knowledge/picture.ts";
import type { Issued } from "./openvex.ts";
import { actionOf, byCve, justificationOf, purlOf, type Same, STATUSES, type VexStatus } from "./products.ts";

export interface Publisher extends Issued {
  /** A URI that is the publisher's own. */
  namespace: string;
  titles: ReadonlyMap<string, string>;
}

/** @throws FLEET_NONE: a document without vulnerabilities is none */
export function fleetCsaf(levels: readonly Judged[], { author, at, namespace, titles }: Publisher): object {
  const tree = new Tree();
  const product = new Map(levels.map((judged) => [judged, tree.productOf(judged)]));
  const vulnerabilities = [...byCve(levels)].map(([cve, same]) => vulnerabilityOf(cve, titles.get(cve) ?? "", same, product));
  if (vulnerabilities.length === 0) throw fail("FLEET_NONE", "no CVE is known of for a kernel of this fleet");
  const date = at.toISOString();
  return {
    document: {
      category: "csaf_vex",
      csaf_version: "2.0",
      lang: "en",
      publisher: { category: "user", name: author, namespace },
      title: `How the kernels of ${author} stand to CVEs`,
      tracking: {
        id: `suture-fleet-${sha256(JSON.stringify(vulnerabilities)).slice(0, 32)}`,
        status: "final",
        version: "1",
        initial_release_date: date,
        current_release_date: date,
        revision_history: [{ number: "1", date, summary: "As machines have reported it." }],
        generator: { engine: { name: "suture-fleet" } },
      },
    },
    product_tree: tree.document,
    vulnerabilities,
  };
}

/** Kernels, livepatches, and each livepatch on what is below it. */
class Tree {
  readonly #products = new Map<string, { product_id: string; name: string; product_identification_helper?: object }>();
  readonly #relationships = new Map<
    string,
    { category: string; product_reference: string; relates_to_product_reference: string; full_product_name: object }
  >();

  productOf(judged: Judged): string {
    const { release, version, buildId } = judged.kernel;
    const purl = purlOf(judged);
    let under = `kernel:${buildId ?? release}:${version ?? ""}`;
    let name = `linux-image-${release}${version === null ? "" : ` ${version}`}`;
    const of = (id: string, called: string, helper: object | undefined): void => {
      this.#products.set(id, { product_id: id, name: called, ...(helper === undefined ? {} : { product_identification_helper: helper }) });
    };
    of(under, name, purl === undefined ? undefined : { purl });
    for (const { sha256: digest, name: livepatch, counter } of judged.inEffect) {
      const id = `livepatch:${digest}`;
      const called = `livepatch ${livepatch} (number ${counter})`;
      of(id, called, {
        hashes: [{ filename: `${livepatch}.ko`, file_hashes: [{ algorithm: "sha256", value: digest }] }],
      });
      const both = `${under}+${digest.slice(0, 16)}`;
      name = `${name} with ${called}`;
      this.#relationships.set(both, {
        category: "installed_on",
        product_reference: id,
        relates_to_product_reference: under,
        full_product_name: { product_id: both, name },
      });
      under = both;
    }
    return under;
  }

  get document(): object {
    const relationships = [...this.#relationships.values()];
    return { full_product_names: [...this.#products.values()], ...(relationships.length === 0 ? {} : { relationships }) };
  }
}

const MEMBERS: Readonly<Record<VexStatus, string>> = {
  fixed: "fixed",
  affected: "known_affected",
  not_affected: "known_not_affected",
  under_investigation: "under_investigation",
};

function vulnerabilityOf(cve: string, title: string, all: readonly Same[], product: ReadonlyMap<Judged, string>): object {
  const ids = ({ levels }: Same): string[] => [...new Set(levels.flatMap((judged) => product.get(judged) ?? []))];
  const status: Record<string, string[]> = {};
  for (const same of all) {
    const member = MEMBERS[STATUSES[same.standing.reason]];
    status[member] = [...new Set([...(status[member] ?? []), ...ids(same)])];
  }
  const of = (which: VexStatus): Same[] => all.filter(({ standing }) => STATUSES[standing.reason] === which);
  const flags = of("not_affected").flatMap((same) => {
    const label = justificationOf(same.standing.reason);
    return label === undefined ? [] : [{ label, product_ids: ids(same) }];
  });
  const remediations = of("affected").map((same) => ({
    category: same.standing.reason === "left out" || same.standing.reason === "older" ? "vendor_fix" : "mitigation",
    details: actionOf(same.standing),
    product_ids: ids(same),
  }));
  return {
    cve,
    ...(title === "" ? {} : { title }),
    notes: all.map((same) => ({
      category: "details",
      title: `${same.standing.standing}: ${same.standing.reason}`,
      text: same.standing.why,
    })),
    product_status: status,
    ...(flags.length === 0 ? {} : { flags }),
    ...(remediations.length === 0 ? {} : { remediations }),
  };
}
