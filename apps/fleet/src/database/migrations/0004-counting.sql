-- The rings are those of this stage, and let in so many machines that were not let in before.
alter table rollout add rings_of integer not null default -1, add eligible integer not null default 0;
update rollout set rings_of = stage where rings <> '[]';
-- By its place and labels it was let in by the roll-out: else what it says can stop it, and takes it no further.
alter table rollout_host add invited boolean not null default true;
-- How often it says that it is there.
alter table host_state add beat_seconds integer not null default 3600;
