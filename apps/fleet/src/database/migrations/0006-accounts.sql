-- People. The invitation is how one sets a password and a second factor, once; what is kept of it is its SHA-256.
create table account (
  name text primary key,
  roles text[] not null,
  password text,
  second text,
  -- Of the second factor's codes the newest that was used: none is used twice.
  last_step bigint not null default 0,
  invitation text unique,
  invited_until timestamptz,
  wrong integer not null default 0,
  wrong_at timestamptz,
  made_at timestamptz not null default now(),
  disabled_at timestamptz
);

create table session (
  digest text primary key,
  account text not null references account,
  made_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
create index session_account on session (account);

create or replace view standing as
  select person, unnest(roles) as role from api_key where revoked_at is null and (expires_at is null or expires_at > now())
  union all
  select 'account ' || name, unnest(roles) from account where disabled_at is null;
