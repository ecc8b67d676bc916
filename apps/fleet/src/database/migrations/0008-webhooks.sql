-- Whom the server tells what happens. The secret signs what is sent; it is shown once.
create table webhook (
  id text primary key,
  name text not null,
  url text not null,
  events text[] not null,
  secret text not null,
  made_by text not null,
  made_at timestamptz not null default now()
);
-- What is to be told, written in the transaction in which it happens: neither is there without the other.
create table webhook_delivery (
  n bigint generated always as identity primary key,
  webhook text not null references webhook on delete cascade,
  body text not null,
  at timestamptz not null default now(),
  state text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead')),
  tries integer not null default 0,
  due_at timestamptz not null default now(),
  said text not null default '',
  done_at timestamptz
);
create index webhook_delivery_due on webhook_delivery (due_at) where state = 'waiting';
create index webhook_delivery_webhook on webhook_delivery (webhook, n desc);
