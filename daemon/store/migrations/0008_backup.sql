-- Whose number a control's sequence is; null: this installation's. A backup brings along what another one numbered (D13).
ALTER TABLE controls ADD COLUMN installation_id BLOB;
