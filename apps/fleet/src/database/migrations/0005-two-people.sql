-- Whether it takes two people is a matter of the channel, and is settled when it is made.
alter table rollout add production boolean not null default true, add made_by_person text not null default '';
update rollout set plan = plan - 'production', production = coalesce((plan->>'production')::boolean, true);

-- Whose word a key is: of one that a person made, that person's, however many there are.
alter table api_key add person text;
update api_key set person = 'key ' || id;
alter table api_key alter person set not null;

-- Who may do what now.
create view standing as
  select person, unnest(roles) as role from api_key where revoked_at is null and (expires_at is null or expires_at > now());

-- Of what comes next: it is gone with each step of the roll-out.
drop table rollout_approval;
create table rollout_approval (
  rollout text not null references rollout,
  what text not null check (what in ('start', 'skip', 'promote')),
  person text not null,
  who text not null,
  at timestamptz not null default now(),
  primary key (rollout, what, person)
);
update rollout set phase = 'draft', why = 'it waits for approval' where phase = 'approved';

-- What the newest policy was marked with that this database had published, and the one before. A database of a back-up has marks of then.
alter table steering add mark text, add previous text;
alter table steering drop policy_version;
delete from steering;
