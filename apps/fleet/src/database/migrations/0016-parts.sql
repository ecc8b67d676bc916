-- All of the release that can be carried, or what somebody has asked for of it. What is here is read again.
alter table livepatch add whole boolean not null default true;
