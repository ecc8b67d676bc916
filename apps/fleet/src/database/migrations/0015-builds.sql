-- What builders see in the archive: the server itself asks none.
create table builder (
  name text primary key,
  seen_at timestamptz not null default now(),
  kernels integer not null default 0
);
create table archive_kernel (
  builder text not null references builder on delete cascade,
  release text not null,
  version text not null,
  suite text not null,
  can boolean not null,
  why text not null,
  primary key (builder, release, version, suite)
);

-- Livepatches that are to be built, are, or were.
create table build (
  id text primary key,
  release text not null,
  build_id text not null,
  version text,
  target_release text not null,
  target_version text,
  options jsonb not null,
  -- By the setting, not by a person.
  by_setting boolean not null,
  machines integer not null,
  state text not null default 'waiting'
    check (state in ('waiting', 'running', 'ready', 'nothing', 'bad', 'refused', 'failed', 'cancelled', 'superseded')),
  code text not null default '',
  why text not null,
  mend text not null default '',
  stage text not null default '',
  -- How often it was given out: what is said of an earlier time counts no more.
  attempt integer not null default 0,
  tries integer not null default 0,
  due_at timestamptz not null default now(),
  builder text,
  lease_until timestamptz,
  log text not null default '',
  sha256 text,
  trial text,
  folder text,
  made_by text not null,
  made_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz
);
create index build_made on build (made_at desc, id);
create index build_waiting on build (machines desc, made_at) where state = 'waiting';
create index build_running on build (lease_until) where state = 'running';
-- One and the same is built once at a time, whoever asks.
create unique index build_once on build (build_id, target_release, md5(options::text)) where state in ('waiting', 'running');

-- Whether the fleet's kernels have livepatches to the newest of their series built by themselves.
create table building (one boolean primary key default true check (one), keep_ready boolean not null);
insert into building (keep_ready) values (false);
