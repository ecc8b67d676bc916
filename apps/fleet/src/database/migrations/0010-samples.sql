-- What lines are drawn of: how a roll-out stood whenever it was another, to the minute; how many machines were at which level, each hour.
create table rollout_sample (
  rollout text not null references rollout on delete cascade,
  at timestamptz not null,
  exposed integer not null,
  succeeded integer not null,
  failed integer not null,
  primary key (rollout, at)
);
create table level_sample (
  at timestamptz not null,
  level text not null,
  machines integer not null,
  primary key (at, level)
);
