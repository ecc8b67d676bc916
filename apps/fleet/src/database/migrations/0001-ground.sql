-- Who did what, for ever: each row holds the hash of the one before.
create table audit (
  n bigint primary key,
  at text not null,
  who text not null,
  what text not null,
  about text not null,
  detail text not null,
  previous text not null,
  hash text not null
);
create function audit_is_kept() returns trigger language plpgsql as $$ begin raise exception 'the audit is only added to'; end $$;
create trigger audit_is_kept before update or delete or truncate on audit for each statement execute function audit_is_kept();

-- Keys of programs. What is kept is the SHA-256 of a key of 256 random bits.
create table api_key (
  id text primary key,
  name text not null,
  roles text[] not null,
  digest text not null unique,
  made_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  used_at timestamptz
);
