/** What make printed of an object. */
import { foldersOf } from "./steps.ts";
