create table enrol_token (
  id text primary key,
  name text not null,
  digest text not null unique,
  most integer,
  used integer not null default 0,
  approve boolean not null,
  labels text[] not null,
  made_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);

create table host (
  id text primary key,
  name text not null,
  machine_id text not null,
  public_key text not null unique,
  state text not null check (state in ('pending', 'approved', 'refused', 'retired')),
  labels text[] not null,
  token text not null references enrol_token,
  enrolled_at timestamptz not null default now()
);
-- Of one machine one is in use; those before it are retired.
create unique index host_machine on host (machine_id) where state <> 'retired';
create index host_name on host (name, id);
create index host_waiting on host (enrolled_at) where state = 'pending';

-- The newest report of each. It is updated all the time: room in its pages, and no index on what changes with each report.
create table host_state (
  host text primary key references host on delete cascade,
  counter bigint not null,
  seen_at timestamptz not null,
  boot_id text not null,
  clock_offset real not null,
  digest text not null,
  release text not null,
  build_id text,
  channel text not null,
  accepted bigint not null,
  status text not null,
  report jsonb not null
) with (fillfactor = 70);
create index host_state_kernel on host_state (build_id, host);
create index host_state_status on host_state (status, host) where status <> 'well';

create table host_event (
  n bigint generated always as identity primary key,
  host text not null references host on delete cascade,
  at timestamptz not null default now(),
  what text not null,
  detail text not null
);
create index host_event_host on host_event (host, n desc);
