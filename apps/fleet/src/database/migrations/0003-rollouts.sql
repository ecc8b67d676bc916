create table rollout (
  id text primary key,
  plan jsonb not null,
  livepatch text not null,
  release text not null,
  build_id text not null,
  counter bigint not null,
  channel text not null,
  -- Of the policy, from the moment it is in it.
  salt text,
  rings jsonb not null default '[]',
  phase text not null check (phase in ('draft', 'approved', 'rolling', 'paused', 'held', 'done', 'withdrawn')),
  why text not null,
  stage integer not null default -1,
  stage_since timestamptz,
  attempt integer not null default 1,
  made_by text not null,
  made_at timestamptz not null default now()
);
create index rollout_livepatch on rollout (livepatch);

-- Of the attempt that is on, or comes next.
create table rollout_approval (
  rollout text not null references rollout,
  who text not null,
  at timestamptz not null default now(),
  primary key (rollout, who)
);

create table rollout_host (
  rollout text not null references rollout,
  host text not null references host on delete cascade,
  attempt integer not null,
  stage integer not null,
  outcome text not null check (outcome in ('soaking', 'succeeded', 'failed', 'crashed', 'booted', 'refused')),
  why text not null,
  at timestamptz not null default now(),
  primary key (rollout, host)
);
create index rollout_host_outcome on rollout_host (rollout, outcome);

-- How new the policy is that this database knows of: a database that was restored from a back-up knows of an older one than is out.
create table steering (one boolean primary key default true check (one), policy_version bigint not null);
create index host_event_boots on host_event (at) where what = 'booted';
