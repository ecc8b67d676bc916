-- People whom a provider of OpenID Connect knows: it says who they are and, at each login, what they may.
alter table account add issuer text, add subject text, add unique (issuer, subject);
alter table account add check ((issuer is null) = (subject is null)), add check (issuer is null or password is null);
-- A login that has begun at the provider: it ends here once, in the browser in which it began.
create table oidc_login (
  state text primary key,
  browser text not null,
  verifier text not null,
  nonce text not null,
  next text not null,
  at timestamptz not null default now()
);
