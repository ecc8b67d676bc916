/** Windows of maintenance: days and local times of a zone, in which something may be loaded. */

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
type Day = (typeof DAYS)[number];

/** What a clock on the wall of that zone shows. */
interface WallTime {
  day: Day;
  minutes: number;
}

/** Of a policy or of a configuration; its zone is "utc", "local", or one of the IANA database. */
export interface Window {
  days: readonly Day[];
  from: string;
  to: string;
  zone: string;
}

/**
 * Whether it is open now. A window that does not end later than it begins goes on over midnight, and is of the day on which it began. What counts is the
 * clock on the wall: an hour that is skipped when summer time begins opens no window, and one that comes twice opens it twice.
 * @param local the zone of this machine
 */
export function isOpen({ days, from, to, zone }: Window, now: Date, local: string): boolean {
  const { day, minutes } = wallTime(now, zone === "local" ? local : zone);
  const [start, end] = [minutesOf(from), minutesOf(to)];
  const began = (on: Day): boolean => days.length === 0 || days.includes(on);
  if (start < end) return began(day) && minutes >= start && minutes < end;
  return (began(day) && minutes >= start) || (began(dayBefore(day)) && minutes < end);
}

/** One of them is; or there are none, which means always. */
export function isAnyOpen(windows: readonly Window[], now: Date, local: string): boolean {
  return windows.length === 0 || windows.some((window) => isOpen(window, now, local));
}

export function windowText({ days, from, to, zone }: Window): string {
  return `${days.length === 0 ? "each day" : days.join(", ")} from ${from} to ${to} (${zone})`;
}

const dayBefore = (day: Day): Day => DAYS[(DAYS.indexOf(day) + 6) % 7] ?? day;

/** Of "23:30". */
function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return hours * 60 + minutes;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function wallTime(now: Date, zone: string): WallTime {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      timeZone: zone,
    });
    formats.set(zone, format);
  }
  const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const day = DAYS.find((name) => name === parts.get("weekday")?.toLowerCase());
  if (day === undefined) throw new Error(`the day of ${now.toISOString()} is ${parts.get("weekday")}`);
  return { day, minutes: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
}
