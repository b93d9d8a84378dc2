BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE answer (
	member_id VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	quiz VARCHAR NOT NULL, 
	question VARCHAR NOT NULL, 
	attempt INTEGER NOT NULL, 
	question_version VARCHAR NOT NULL, 
	key_version VARCHAR NOT NULL, 
	response TEXT NOT NULL, 
	certainty INTEGER, 
	reason TEXT, 
	late BOOLEAN NOT NULL, 
	answered_at DATETIME NOT NULL, 
	request_hash VARCHAR NOT NULL, 
	reply TEXT NOT NULL, 
	CONSTRAINT pk_answer PRIMARY KEY (member_id, id), 
	CONSTRAINT ck_answer_certainty CHECK (certainty BETWEEN 1 AND 3), 
	CONSTRAINT fk_answer_member_id FOREIGN KEY(member_id) REFERENCES member (id), 
	CONSTRAINT uq_answer_member_id_quiz_question_attempt UNIQUE (member_id, quiz, question, attempt)
);
INSERT INTO "answer" VALUES('ec3af30c-6c4e-4330-96c9-e773410c2599','00000000-0000-0000-0000-000000000000','example','why-two-layers',1,'411e269240683e69','6546163e69575d63','"a"',1,NULL,0,'2026-03-10 18:00:00.000000','2a2aadb2880b38d2803f8c56cea7d4d3ea65426414c2ba2562c02ee20450461d','{"id":"00000000-0000-0000-0000-000000000000","quiz":"example","question":"why-two-layers","response":"a","certainty":1,"reason":null,"correct":true,"score":1.0,"late":false,"feedback":[{"option":"a","text_html":"<p>Yes, a previous-token head.</p>\n"}],"key":"a","why_html":"<p>Only an earlier layer can have written what it matches. CANARY-WHY-SINGLE</p>\n","source_html":"Olsson et al. 2022, arXiv:2209.11895","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('ec3af30c-6c4e-4330-96c9-e773410c2599','00000000-0000-0000-0000-000000000001','example','linear-parts',1,'b89964140c3176ce','b5fc11588a933d84','["a", "c"]',2,'I counted.
Twice.',0,'2026-03-10 18:00:00.000000','8e35d7cdeed28716f97f0eb1c91e141733deff406437ab8eb2b5d4f8a4c968dd','{"id":"00000000-0000-0000-0000-000000000001","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":2,"reason":"I counted.\r\nTwice.","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('ec3af30c-6c4e-4330-96c9-e773410c2599','00000000-0000-0000-0000-000000000002','example','share-right',1,'175c7b184d3e93f6','6322a9d936c6fca1','0.73',3,'',0,'2026-03-10 18:00:00.000000','f2411cfe91901069657b99c341d52f8b03968613600dcc0b70f6a1194c2db58b','{"id":"00000000-0000-0000-0000-000000000002","quiz":"example","question":"share-right","response":0.73,"certainty":3,"reason":"","correct":true,"score":1.0,"late":false,"feedback":[],"key":0.7310585,"why_html":"<p>CANARY-WHY-NUMBER</p>\n","source_html":"The example notebook","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('ec3af30c-6c4e-4330-96c9-e773410c2599','00000000-0000-0000-0000-000000000003','example','linear-parts',2,'b89964140c3176ce','b5fc11588a933d84','["a", "c"]',NULL,'naïve “guess”',0,'2026-03-10 18:00:00.000000','359eed462d0cad252fb5a973df0691fc99eede95cf842c6b52518e8c72da7ce6','{"id":"00000000-0000-0000-0000-000000000003","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":null,"reason":"naïve “guess”","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('8f0ae159-0952-439d-8be3-a54e675fba64','00000000-0000-0000-0000-000000000064','example','why-two-layers',1,'411e269240683e69','6546163e69575d63','"b"',1,NULL,0,'2026-03-10 18:00:00.000000','305e8cd7a570982a27b1dddf706c7f67044865d364f183367b7df1d8d228f074','{"id":"00000000-0000-0000-0000-000000000064","quiz":"example","question":"why-two-layers","response":"b","certainty":1,"reason":null,"correct":false,"score":0.0,"late":false,"feedback":[{"option":"b","text_html":"<p>That is what it does itself.</p>\n"}],"key":"a","why_html":"<p>Only an earlier layer can have written what it matches. CANARY-WHY-SINGLE</p>\n","source_html":"Olsson et al. 2022, arXiv:2209.11895","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('8f0ae159-0952-439d-8be3-a54e675fba64','00000000-0000-0000-0000-000000000065','example','linear-parts',1,'b89964140c3176ce','b5fc11588a933d84','["a", "c"]',2,'I counted.
Twice.',0,'2026-03-10 18:00:00.000000','866964c138f18848bb7fbd0064c4320a05fb140eb2a0731dffd9e76cfcefe9c6','{"id":"00000000-0000-0000-0000-000000000065","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":2,"reason":"I counted.\r\nTwice.","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('8f0ae159-0952-439d-8be3-a54e675fba64','00000000-0000-0000-0000-000000000066','example','share-right',1,'175c7b184d3e93f6','6322a9d936c6fca1','0.73',3,'',0,'2026-03-10 18:00:00.000000','87028c26c356a2a2feec0c50d4fa3c7b1c62f190b3ccac6d8f6446e07f007435','{"id":"00000000-0000-0000-0000-000000000066","quiz":"example","question":"share-right","response":0.73,"certainty":3,"reason":"","correct":true,"score":1.0,"late":false,"feedback":[],"key":0.7310585,"why_html":"<p>CANARY-WHY-NUMBER</p>\n","source_html":"The example notebook","answered_at":"2026-03-10T18:00:00Z"}');
INSERT INTO "answer" VALUES('8f0ae159-0952-439d-8be3-a54e675fba64','00000000-0000-0000-0000-000000000067','example','linear-parts',2,'b89964140c3176ce','b5fc11588a933d84','["a", "c"]',NULL,'naïve “guess”',0,'2026-03-10 18:00:00.000000','5ef1f162d8d7001a6fa587ac8ea393434ebbf470a7612c041934f30f9dfdc93e','{"id":"00000000-0000-0000-0000-000000000067","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":null,"reason":"naïve “guess”","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z"}');
CREATE TABLE invitation (
	code_hash VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_invitation PRIMARY KEY (code_hash)
);
INSERT INTO "invitation" VALUES('5d68b3c2daef32dd81926376148ad69721dab2f916a80c3d830c962cddd73ba1','Ada','organizer','2026-03-10 18:00:00.000000','2026-03-24 18:00:00.000000','2026-03-10 18:00:00.000000');
INSERT INTO "invitation" VALUES('e90e87ae685b717b313d69b726ad1d6b67de8d85e4aa77f894a38e6688ae404a','Zoë 深い','member','2026-03-10 18:00:00.000000','2026-03-24 18:00:00.000000','2026-03-10 18:00:00.000000');
CREATE TABLE member (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	joined_at DATETIME NOT NULL, 
	erased_at DATETIME, 
	CONSTRAINT pk_member PRIMARY KEY (id), 
	CONSTRAINT ck_member_role CHECK (role IN ('member', 'organizer'))
);
INSERT INTO "member" VALUES('ec3af30c-6c4e-4330-96c9-e773410c2599','Ada','organizer','2026-03-10 18:00:00.000000',NULL);
INSERT INTO "member" VALUES('8f0ae159-0952-439d-8be3-a54e675fba64','Zoë 深い','member','2026-03-10 18:00:00.000000',NULL);
CREATE TABLE note (
	id VARCHAR NOT NULL, 
	meeting VARCHAR NOT NULL, 
	author_id VARCHAR NOT NULL, 
	visibility VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_note PRIMARY KEY (id), 
	CONSTRAINT ck_note_visibility CHECK (visibility IN ('private', 'group', 'public')), 
	CONSTRAINT fk_note_author_id FOREIGN KEY(author_id) REFERENCES member (id)
);
INSERT INTO "note" VALUES('00000000-0000-0000-0000-000000000000','2026-03-12','ec3af30c-6c4e-4330-96c9-e773410c2599','private',2,'2026-03-10 18:00:00.000000',NULL);
INSERT INTO "note" VALUES('00000000-0000-0000-0000-000000000001','2026-03-12','8f0ae159-0952-439d-8be3-a54e675fba64','public',2,'2026-03-10 18:00:00.000000',NULL);
CREATE TABLE note_revision (
	note_id VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	editor_id VARCHAR NOT NULL, 
	body TEXT NOT NULL, 
	saved_at DATETIME NOT NULL, 
	CONSTRAINT pk_note_revision PRIMARY KEY (note_id, version), 
	CONSTRAINT fk_note_revision_editor_id FOREIGN KEY(editor_id) REFERENCES member (id), 
	CONSTRAINT fk_note_revision_note_id FOREIGN KEY(note_id) REFERENCES note (id)
);
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000000',1,'ec3af30c-6c4e-4330-96c9-e773410c2599','# First

$a_1$ ''quoted'' \ 	
  ','2026-03-10 18:00:00.000000');
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000000',2,'ec3af30c-6c4e-4330-96c9-e773410c2599','Second; with a semicolon
','2026-03-10 18:00:00.000000');
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000001',1,'8f0ae159-0952-439d-8be3-a54e675fba64','# First

$a_1$ ''quoted'' \ 	
  ','2026-03-10 18:00:00.000000');
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000001',2,'8f0ae159-0952-439d-8be3-a54e675fba64','Second; with a semicolon
','2026-03-10 18:00:00.000000');
CREATE TABLE sign_in (
	token_hash VARCHAR NOT NULL, 
	member_id VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in PRIMARY KEY (token_hash), 
	CONSTRAINT fk_sign_in_member_id FOREIGN KEY(member_id) REFERENCES member (id)
);
INSERT INTO "sign_in" VALUES('aec117a0fb30b168a55c1be868c7460f35480fa456666b0b36b26e7171dc7f6b','ec3af30c-6c4e-4330-96c9-e773410c2599','2026-03-10 18:00:00.000000','2026-09-06 18:00:00.000000');
INSERT INTO "sign_in" VALUES('1bceaf87515456f04c1818e3bd95c599059be155f071223eac3cc1124b55fef8','8f0ae159-0952-439d-8be3-a54e675fba64','2026-03-10 18:00:00.000000','2026-09-06 18:00:00.000000');
CREATE INDEX ix_answer_quiz_question ON answer (quiz, question);
CREATE INDEX ix_note_author_id ON note (author_id);
CREATE INDEX ix_note_meeting ON note (meeting);
CREATE INDEX ix_sign_in_member_id ON sign_in (member_id);
COMMIT;
