-- A key that a person made for herself has no more roles than she has at the moment; one that an admin made for a program has those that it was given.
alter table api_key add own boolean not null default false;
update api_key k set own = true from account a where k.person = 'account ' || a.name and not 'admin' = any (a.roles);
-- Of a provider's people: until when what it said at the last login holds without another one.
alter table account add roles_until timestamptz;
update account set roles_until = now() + interval '24 hours' where issuer is not null;

create view person as
  select name, 'account ' || name as person, roles from account
  where disabled_at is null and (issuer is null or roles_until between now() and now() + interval '91 days');

-- Who may do what now. A key of a person's own adds nothing to what the person may.
create or replace view standing as
  select k.person, unnest(k.roles) as role from api_key k
  where k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and not k.own
    and (not exists (select from account a where k.person = 'account ' || a.name) or exists (select from person p where p.person = k.person))
  union all
  select person, unnest(roles) from person;
