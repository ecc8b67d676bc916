-- Too much waits for it: it is looked at once in a while, not with each deed, whose lock others wait for.
alter table webhook add "full" boolean not null default false;
