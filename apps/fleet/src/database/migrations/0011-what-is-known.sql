-- Which release a fix is in: of several changelogs' entries the oldest and the newest. Of a patch of the operator's own no release is said to have it. What was
-- read before is read again where it is still listed; until then it says nothing of releases.
alter table livepatch_cve add first_in text, add own boolean not null default true;
-- Of which files it is, in which form they were read.
alter table livepatch add learnt_of text not null default '';

-- Whether anything is new: not by a clock, which may be set back.
create table knowledge (one boolean primary key default true check (one), version bigint not null);
insert into knowledge (version) values (1);
create function knowledge_is_new() returns trigger language plpgsql as $$ begin update knowledge set version = version + 1; return null; end $$;
create trigger knowledge_is_new after insert or update or delete on livepatch for each statement execute function knowledge_is_new();
create trigger knowledge_is_new after insert or update or delete on livepatch_cve for each statement execute function knowledge_is_new();
create trigger knowledge_is_new after insert or update or delete on kernel_cover for each statement execute function knowledge_is_new();
