// The proleptic Gregorian calendar without the host's clock: seconds since 1970-01-01 to fields and back. The core must
// not know what time it really is, so a scenario's date is parsed here.

export interface Civil {
  year: number;
  /** 1..12 */
  month: number;
  /** 1..31 */
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** 0 = Sunday */
  weekday: number;
}

const DAY = 86400;
/** Days of 400 years: the period of the calendar. */
const ERA_DAYS = 146_097;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719_468;

/** Seconds since 1970; the weekday is not looked at, and a day beyond its month runs on into the next. */
export function secondsFromCivil(t: Omit<Civil, 'weekday'>): number {
  // Years that begin in March put the leap day last, so that month lengths follow one formula.
  const year = t.month > 2 ? t.year : t.year - 1;
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * ((t.month + 9) % 12) + 2) / 5) + t.day - 1;
  const days =
    era * ERA_DAYS +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    EPOCH_DAYS;
  return days * DAY + t.hour * 3600 + t.minute * 60 + t.second;
}

/** Fields of a moment given in seconds since 1970. */
export function civilFromSeconds(seconds: number): Civil {
  const days = Math.floor(seconds / DAY);
  const rest = seconds - days * DAY;
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}

/** Reads `YYYY-MM-DDTHH:MM:SS` (the time may be left out). Throws RangeError when it is no date. */
export function parseDate(text: string): number {
  const m = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?Z?)?$/.exec(text);
  if (!m) throw new RangeError(`"${text}" is not a date of the form 2005-08-23T09:00:00`);
  const [year, month, day, hour, minute, second] = m.slice(1).map((x) => Number(x ?? 0));
  const fields = { year, month, day, hour, minute, second };
  const seconds = secondsFromCivil(fields);
  const back = civilFromSeconds(seconds);
  if (back.month !== month || back.day !== day || hour > 23 || minute > 59 || second > 59)
    throw new RangeError(`"${text}" is not a date that exists`);
  return seconds;
}
