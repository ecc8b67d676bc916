-- How often a machine came to another level within the last hour: each may be a row.
alter table host_state add level_moves integer not null default 0, add level_since timestamptz;

-- Each webhook's own are looked at for themselves: one that hangs keeps no other waiting.
drop index webhook_delivery_due;
create index webhook_delivery_due on webhook_delivery (webhook, due_at) where state = 'waiting';
