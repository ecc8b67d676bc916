-- What the repository's livepatches say of CVEs, as it was signed. They stay here when they go out of its list: they may be in kernels for long.
create table livepatch (
  sha256 text primary key,
  name text not null,
  release text not null,
  build_id text not null,
  counter bigint not null,
  proven boolean not null,
  -- Of the catch-up that it is: the package's version that it is for, and the one whose level it brings.
  base_version text,
  target_version text,
  target_release text,
  listed boolean not null,
  withdrawn boolean not null,
  account text,
  review text,
  learnt_at timestamptz not null default clock_timestamp()
);
create index livepatch_kernel on livepatch (build_id, counter);
create table livepatch_cve (
  livepatch text not null references livepatch on delete cascade,
  cve text not null,
  state text not null check (state in ('carried', 'not built', 'no need', 'left out', 'in the kernel', 'unknown')),
  why text not null,
  code text,
  mend text,
  -- The package's version whose changelog names it.
  fixed_in text,
  primary key (livepatch, cve)
);
create index livepatch_cve_cve on livepatch_cve (cve);
create table cve (id text primary key, title text not null);

-- A kernel with the livepatches that are in effect in it. Machines of one level are the same to each CVE, so that nothing is counted or kept by machine and CVE.
create table level (
  id text primary key,
  release text not null,
  build_id text,
  version text,
  livepatches text[] not null,
  seen_at timestamptz not null default now()
);
-- It is other only where a livepatch came or went, or another kernel was booted: most reports leave the index as it is.
alter table host_state add level text;
create index host_state_level on host_state (level);
with known as (
  select host, release, build_id, report->>'version' as version, array(
    select coalesce(p->>'sha256', 'name:' || (p->>'name')) from jsonb_array_elements(report->'livepatches') p
    where (p->>'inEffect')::boolean order by coalesce(p->>'sha256', 'name:' || (p->>'name')) collate "C") as livepatches
  from host_state
), named as (
  select *, md5(concat_ws(chr(10), release, coalesce(build_id, ''), coalesce(version, ''), array_to_string(livepatches, ','))) as id from known
), put as (
  insert into level (id, release, build_id, version, livepatches) select distinct on (id) id, release, build_id, version, livepatches from named
)
update host_state s set level = named.id from named where named.host = s.host;

-- Until when somebody has said that livepatches are made for a kernel.
create table kernel_cover (
  build_id text primary key,
  until date not null,
  why text not null,
  who text not null,
  at timestamptz not null default now()
);
