-- What is rare is found without looking through all machines (hosts/rare.ts): who was never heard of,
alter table host add heard boolean not null default false;
update host h set heard = true where exists (select from host_state s where s.host = h.id);
create index host_unheard on host (id) where not heard;
create function host_is_heard() returns trigger language plpgsql as $$
begin
  update host set heard = not heard where id in (select host from rows) and heard <> (tg_op = 'INSERT');
  return null;
end $$;
create trigger host_is_heard after insert on host_state referencing new table as rows for each statement execute function host_is_heard();
create trigger host_is_not_heard after delete on host_state referencing old table as rows for each statement execute function host_is_heard();
-- who is not in the fleet, or not any more,
create index host_apart on host (id) where state <> 'approved';
-- who has a label,
create index host_labels on host using gin (labels);
-- and who may be silent. It is noted by a sweep and not by an index on when each was heard of, which every report would change.
alter table host_state add quiet boolean not null default false;
create index host_state_quiet on host_state (host) where quiet;
create table quiet_sweep (one boolean primary key default true check (one), at timestamptz not null);
