drop trigger if exists number_messages;
drop table if exists message_receipts;
drop table if exists message_sequence;
drop table if exists room_sequences;
