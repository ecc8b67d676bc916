/** What lines of C use: members and called functions, and which of the members are state that others look at, too. */
import { identifiersOf } from "../c/declarations.ts";

export interface Uses {
  members: ReadonlySet<string>;
  calls: ReadonlySet<string>;
}

const MEMBER = /(?:->|(?<=[\w\])])\.)([A-Za-z_]\w*)/g;

const STRING = /"(?:\\.|[^"\\\n])*"/g;

/** @param withStrings code without comments */
export function usesOf(withStrings: string): Uses {
  const code = withStrings.replace(STRING, " ");
  const known = identifiersOf(code);
  const calls = [...code.matchAll(/\b(\w+)\s*\(/g)].map(([, name = ""]) => name);
  return { members: membersIn(code), calls: new Set(calls.filter((name) => known.has(name))) };
}

export function allOf({ members, calls }: Uses): Set<string> {
  return new Set([...members, ...calls]);
}

/** What others do not use. */
export function without(own: Uses, other: Uses): Uses {
  const only = (a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> => new Set([...a].filter((name) => !b.has(name)));
  return { members: only(own.members, other.members), calls: only(own.calls, other.calls) };
}

function membersIn(code: string): Set<string> {
  return new Set([...code.matchAll(MEMBER)].map(([, name = ""]) => name));
}

/** Members that are set to nothing. */
export function emptiedIn(code: string): Set<string> {
  return new Set([...code.matchAll(/(?:->|\.)([A-Za-z_]\w*)\s*=\s*(?:NULL|false)\s*;/g)].map(([, name = ""]) => name));
}

/** Members that are set, each with what it is of: `session->tunnel`. */
export function setIn(code: string): Set<string> {
  const set = [
    ...code.matchAll(
      /\b(?:(?:WRITE_ONCE|rcu_assign_pointer|RCU_INIT_POINTER|smp_store_release)\s*\(\s*&?)?(\w+)->([A-Za-z_]\w*)\s*(,|=(?!=))/g,
    ),
  ];
  return new Set(set.flatMap(([text, of = "", name = "", by = ""]) => ((by === ",") === text.includes("(") ? [`${of}->${name}`] : [])));
}

/** Members that a condition goes by. */
export function testedIn(code: string): Set<string> {
  return membersIn([...code.matchAll(/\b(?:if|while)\s*\(([^;{}]*)/g)].map(([, text = ""]) => text).join(";"));
}

const QUEUEING =
  /\b(?:task_work_add|\w*queue_\w*work\w*|schedule_\w*work\w*|\w*mod_timer\w*|add_timer\w*|\w*hrtimer_start\w*|irq_work_queue\w*|tasklet_\w*schedule|call_rcu\w*)\s*\(([^;{}]*)/g;

/** Members that are called, or given to what calls later what they were set up with. */
export function operationsIn(withStrings: string): Set<string> {
  const code = withStrings.replace(STRING, " ");
  const called = [...code.matchAll(/(?:->|\.)([A-Za-z_]\w*)\s*\)?\s*\(/g)].map(([, name = ""]) => name);
  return new Set([...called, ...membersIn([...code.matchAll(QUEUEING)].map(([, given = ""]) => given).join(";"))]);
}

/** Locks that are taken or let go, each with what it is of: `nfsi->rwsem`; and states of a task that are saved and restored: `memalloc_noio`. */
export function locksIn(code: string): Set<string> {
  const locks = code.matchAll(/\b\w*(?:lock|mutex|down|up)(?:_\w+)?\s*\(\s*&?(\w+(?:->|\.)\w+)\s*[,)]/g);
  const states = code.matchAll(/\b(\w+)_(?:save|restore)\s*\(/g);
  return new Set([...locks, ...states].map(([, name = ""]) => name));
}

/** A kind of lock, not a lock. */
const ANY_LOCK = /^(?:raw_|bit_)?(?:spin|read|write|mutex|rcu|srcu|seq|local)$/;

/**
 * Functions that say whether their caller takes a lock, each with the words of such locks: `needs = f(a); if (needs) rtnl_lock();`
 * @param code of a whole file
 */
export function locksDecided(code: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const asked = new Map<string, Set<string>>();
  for (const [, value = "", name = ""] of code.matchAll(/\b(\w+)\s*=\s*(\w+)\s*\([^;{}]*\)\s*;/g))
    asked.set(value, (asked.get(value) ?? new Set()).add(name));
  for (const [, value = "", name = "", lock = ""] of code.matchAll(
    /\bif\s*\(\s*(?:(\w+)|(\w+)\s*\([^;{}]*?\))\s*\)\s*\{?\s*(\w+?)_lock\w*\s*\(/g,
  )) {
    if (ANY_LOCK.test(lock)) continue;
    for (const by of value === "" ? [name] : (asked.get(value) ?? [])) found.set(by, (found.get(by) ?? new Set()).add(lock));
  }
  return found;
}

const POINTED = /\*\s*\w+\s*=\s*[\w>.-]+(?:->|\.)(\w+)\s*;/g;
const NUMBER = /\(\s*(?:unsigned\s+)?(?:long|int|uintptr_t|kernel_ulong_t|[us](?:8|16|32|64)|bool)\s*\)\s*[\w>.-]+(?:->|\.)(\w+)/g;

/** A member that one text reads as a pointer, and the other as a number. */
export function readsAsNumber(one: string, other: string): string | undefined {
  const pointed = new Set([...one.matchAll(POINTED)].map(([, member = ""]) => member));
  return [...other.matchAll(NUMBER)].map(([, member = ""]) => member).find((member) => pointed.has(member));
}

/** Enumerators and macros, as the kernel writes them. */
export function constantsIn(withStrings: string): Set<string> {
  return new Set(withStrings.replace(STRING, " ").match(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g) ?? []);
}

const SHARING =
  /\b(?:atomic\w*|refcount\w*|kref\w*|\w*lock\w*|INIT_\w+|init_\w+|\w+_init|list_\w+|hlist_\w+|wait_\w+|wake_\w+|complete\w*|READ_ONCE|WRITE_ONCE|rcu_\w+|RCU_INIT_POINTER|smp_\w+|\w*(?:set|clear|test)_bit|queue_\w+|cancel_\w+|xa_\w+|idr_\w+)\s*\(([^;{}]*)/g;

const GUARDING = /\b(?:atomic\w*|refcount\w*|kref\w*|\w*lock\w*|mutex\w*|\w*down_\w+|up_\w+|rcu_\w+)\s*\(([^;{}]*)/g;

const COUNTING = /\b(?:atomic\w*|refcount\w*|kref\w*)\s*\(([^;{}]*)/g;

/** Members that are given to what counts, locks, initialises, links, waits or wakes. */
export function sharedIn(code: string): Set<string> {
  return givenTo(SHARING, code);
}

export function countedIn(code: string): Set<string> {
  return givenTo(COUNTING, code);
}

/** Members that are given to what locks or counts. */
export function guardedIn(code: string): Set<string> {
  return givenTo(GUARDING, code);
}

/** Members that are given to calls; and those that are counted up or down. */
function givenTo(calls: RegExp, withStrings: string): Set<string> {
  const code = withStrings.replace(STRING, " ");
  const given = [...code.matchAll(calls)].map(([, text = ""]) => text);
  const counted = [...code.matchAll(/(?:\+\+|--)\s*[\w>.\-[\]]+|[\w>.\-[\]]+(?:\+\+|--)/g)].map(([text]) => text);
  return membersIn([...given, ...counted].join(";"));
}
