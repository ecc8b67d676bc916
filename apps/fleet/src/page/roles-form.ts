/** Roles as boxes of a form. */
import { type Content, html } from "@suture/pages";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { ROLES, type Role } from "../users/roles.ts";

const box = v.optional(v.literal("on"));
type Boxes = Readonly<Record<Role, typeof box>>;

export const roleBoxes = Object.fromEntries(ROLES.map((role) => [role, box])) as Boxes;

/** @throws FLEET_REQUEST */
export function rolesOf(words: Readonly<Partial<Record<Role, "on" | undefined>>>): Role[] {
  const roles = ROLES.filter((role) => words[role] === "on");
  if (roles.length === 0) throw fail("FLEET_REQUEST", "a role is needed");
  return roles;
}

export const rolesHtml = (among: readonly Role[], chosen: readonly Role[] = []): Content =>
  html`<fieldset><legend>Roles</legend>${among.map((role) => html`<label class="box-line"><input type="checkbox" name="${role}"${chosen.includes(role) ? html` checked` : ""}> ${role}</label>`)}</fieldset>`;
