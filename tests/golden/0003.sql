BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE "answer" (
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
	turn VARCHAR NOT NULL, 
	CONSTRAINT pk_answer PRIMARY KEY (member_id, id), 
	CONSTRAINT ck_answer_certainty CHECK (certainty BETWEEN 1 AND 3), 
	CONSTRAINT fk_answer_member_id FOREIGN KEY(member_id) REFERENCES member (id), 
	CONSTRAINT uq_answer_member_id_question_attempt UNIQUE (member_id, question, attempt), 
	CONSTRAINT ck_answer_turn CHECK (turn IN ('first', 'revote', 'again'))
);
INSERT INTO "answer" VALUES('4c7a1c46-3ecb-4e69-9d48-6728887bc91a','00000000-0000-0000-0000-000000000000','example','why-two-layers',1,'411e269240683e69','c82ee0e80a99b940','"a"',1,NULL,0,'2026-03-10 18:00:00.000000','2a2aadb2880b38d2803f8c56cea7d4d3ea65426414c2ba2562c02ee20450461d','{"id":"00000000-0000-0000-0000-000000000000","quiz":"example","question":"why-two-layers","response":"a","certainty":1,"reason":null,"correct":true,"score":1.0,"late":false,"feedback":[{"option":"a","text_html":"<p>Yes, a previous-token head.</p>\n"}],"key":"a","why_html":"<p>Only an earlier layer can have written what it matches. CANARY-WHY-SINGLE</p>\n","source_html":"Olsson et al. 2022, arXiv:2209.11895","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('4c7a1c46-3ecb-4e69-9d48-6728887bc91a','00000000-0000-0000-0000-000000000001','example','linear-parts',1,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',2,'I counted.
Twice.',0,'2026-03-10 18:00:00.000000','8e35d7cdeed28716f97f0eb1c91e141733deff406437ab8eb2b5d4f8a4c968dd','{"id":"00000000-0000-0000-0000-000000000001","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":2,"reason":"I counted.\r\nTwice.","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('4c7a1c46-3ecb-4e69-9d48-6728887bc91a','00000000-0000-0000-0000-000000000002','example','share-right',1,'175c7b184d3e93f6','6d5d050200694159','0.73',3,'',0,'2026-03-10 18:00:00.000000','f2411cfe91901069657b99c341d52f8b03968613600dcc0b70f6a1194c2db58b','{"id":"00000000-0000-0000-0000-000000000002","quiz":"example","question":"share-right","response":0.73,"certainty":3,"reason":"","correct":true,"score":1.0,"late":false,"feedback":[],"key":0.7310585,"why_html":"<p>CANARY-WHY-NUMBER</p>\n","source_html":"The example notebook","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":[{"fact":"example-accuracy","value":0.7310585,"tolerance":0.01,"notebook":"00_example","notebook_key":"0000","model":"example"}]}','first');
INSERT INTO "answer" VALUES('4c7a1c46-3ecb-4e69-9d48-6728887bc91a','00000000-0000-0000-0000-000000000003','example','linear-parts',2,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',NULL,'naïve “guess”',0,'2026-03-10 18:00:00.000000','359eed462d0cad252fb5a973df0691fc99eede95cf842c6b52518e8c72da7ce6','{"id":"00000000-0000-0000-0000-000000000003","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":null,"reason":"naïve “guess”","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','again');
INSERT INTO "answer" VALUES('cd498481-6309-4645-9021-e50339a09043','00000000-0000-0000-0000-000000000064','example','why-two-layers',1,'411e269240683e69','c82ee0e80a99b940','"b"',1,NULL,0,'2026-03-10 18:00:00.000000','305e8cd7a570982a27b1dddf706c7f67044865d364f183367b7df1d8d228f074','{"id":"00000000-0000-0000-0000-000000000064","quiz":"example","question":"why-two-layers","response":"b","certainty":1,"reason":null,"correct":false,"score":0.0,"late":false,"feedback":[{"option":"b","text_html":"<p>That is what it does itself.</p>\n"}],"key":"a","why_html":"<p>Only an earlier layer can have written what it matches. CANARY-WHY-SINGLE</p>\n","source_html":"Olsson et al. 2022, arXiv:2209.11895","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('cd498481-6309-4645-9021-e50339a09043','00000000-0000-0000-0000-000000000065','example','linear-parts',1,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',2,'I counted.
Twice.',0,'2026-03-10 18:00:00.000000','866964c138f18848bb7fbd0064c4320a05fb140eb2a0731dffd9e76cfcefe9c6','{"id":"00000000-0000-0000-0000-000000000065","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":2,"reason":"I counted.\r\nTwice.","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('cd498481-6309-4645-9021-e50339a09043','00000000-0000-0000-0000-000000000066','example','share-right',1,'175c7b184d3e93f6','6d5d050200694159','0.73',3,'',0,'2026-03-10 18:00:00.000000','87028c26c356a2a2feec0c50d4fa3c7b1c62f190b3ccac6d8f6446e07f007435','{"id":"00000000-0000-0000-0000-000000000066","quiz":"example","question":"share-right","response":0.73,"certainty":3,"reason":"","correct":true,"score":1.0,"late":false,"feedback":[],"key":0.7310585,"why_html":"<p>CANARY-WHY-NUMBER</p>\n","source_html":"The example notebook","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":[{"fact":"example-accuracy","value":0.7310585,"tolerance":0.01,"notebook":"00_example","notebook_key":"0000","model":"example"}]}','first');
INSERT INTO "answer" VALUES('cd498481-6309-4645-9021-e50339a09043','00000000-0000-0000-0000-000000000067','example','linear-parts',2,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',NULL,'naïve “guess”',0,'2026-03-10 18:00:00.000000','5ef1f162d8d7001a6fa587ac8ea393434ebbf470a7612c041934f30f9dfdc93e','{"id":"00000000-0000-0000-0000-000000000067","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":null,"reason":"naïve “guess”","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','again');
CREATE TABLE correction (
	question VARCHAR NOT NULL, 
	"before" VARCHAR NOT NULL, 
	"after" VARCHAR NOT NULL, 
	why TEXT, 
	n INTEGER NOT NULL, 
	noted_at DATETIME NOT NULL, 
	CONSTRAINT pk_correction PRIMARY KEY (question, "before", "after")
);
CREATE TABLE edition (
	question VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	edition INTEGER NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_edition PRIMARY KEY (question, version)
);
INSERT INTO "edition" VALUES('why-two-layers','411e269240683e69',1,'2026-03-10 18:00:00.000000');
INSERT INTO "edition" VALUES('linear-parts','b89964140c3176ce',1,'2026-03-10 18:00:00.000000');
INSERT INTO "edition" VALUES('share-right','175c7b184d3e93f6',1,'2026-03-10 18:00:00.000000');
INSERT INTO "edition" VALUES('the-sum','ab044f3cfb60c975',1,'2026-03-10 18:00:00.000000');
INSERT INTO "edition" VALUES('steps','a90cfad6c14a9a5f',1,'2026-03-10 18:00:00.000000');
INSERT INTO "edition" VALUES('changes','a5f386967368ed2b',1,'2026-03-10 18:00:00.000000');
CREATE TABLE invitation (
	code_hash VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_invitation PRIMARY KEY (code_hash)
);
INSERT INTO "invitation" VALUES('3c8833b8175b4142b2800d5ec401b72204767e5369807a159360dd2e25b3b93a','Ada','organizer','2026-03-10 18:00:00.000000','2026-03-24 18:00:00.000000','2026-03-10 18:00:00.000000');
INSERT INTO "invitation" VALUES('499f093053db8afca219643f63f7ae25fe5ef27c49b2e4f3f15cc61c364fd1ec','Zoë 深い','member','2026-03-10 18:00:00.000000','2026-03-24 18:00:00.000000','2026-03-10 18:00:00.000000');
CREATE TABLE member (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	joined_at DATETIME NOT NULL, 
	erased_at DATETIME, 
	CONSTRAINT pk_member PRIMARY KEY (id), 
	CONSTRAINT ck_member_role CHECK (role IN ('member', 'organizer'))
);
INSERT INTO "member" VALUES('4c7a1c46-3ecb-4e69-9d48-6728887bc91a','Ada','organizer','2026-03-10 18:00:00.000000',NULL);
INSERT INTO "member" VALUES('cd498481-6309-4645-9021-e50339a09043','Zoë 深い','member','2026-03-10 18:00:00.000000',NULL);
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
INSERT INTO "note" VALUES('00000000-0000-0000-0000-000000000000','2026-03-12','4c7a1c46-3ecb-4e69-9d48-6728887bc91a','private',2,'2026-03-10 18:00:00.000000',NULL);
INSERT INTO "note" VALUES('00000000-0000-0000-0000-000000000001','2026-03-12','cd498481-6309-4645-9021-e50339a09043','public',2,'2026-03-10 18:00:00.000000',NULL);
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
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000000',1,'4c7a1c46-3ecb-4e69-9d48-6728887bc91a','# First

$a_1$ ''quoted'' \ 	
  ','2026-03-10 18:00:00.000000');
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000000',2,'4c7a1c46-3ecb-4e69-9d48-6728887bc91a','Second; with a semicolon
','2026-03-10 18:00:00.000000');
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000001',1,'cd498481-6309-4645-9021-e50339a09043','# First

$a_1$ ''quoted'' \ 	
  ','2026-03-10 18:00:00.000000');
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000001',2,'cd498481-6309-4645-9021-e50339a09043','Second; with a semicolon
','2026-03-10 18:00:00.000000');
CREATE TABLE problem_report (
	member_id VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	question VARCHAR NOT NULL, 
	question_version VARCHAR NOT NULL, 
	text TEXT NOT NULL, 
	reported_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	CONSTRAINT pk_problem_report PRIMARY KEY (member_id, id), 
	CONSTRAINT fk_problem_report_member_id FOREIGN KEY(member_id) REFERENCES member (id)
);
CREATE TABLE sign_in (
	token_hash VARCHAR NOT NULL, 
	member_id VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in PRIMARY KEY (token_hash), 
	CONSTRAINT fk_sign_in_member_id FOREIGN KEY(member_id) REFERENCES member (id)
);
INSERT INTO "sign_in" VALUES('8505b6800881bbd51ec33057cff07d5d25ca9c91c57f0f33a048324d372e3e60','4c7a1c46-3ecb-4e69-9d48-6728887bc91a','2026-03-10 18:00:00.000000','2026-09-06 18:00:00.000000');
INSERT INTO "sign_in" VALUES('0234f5cb0182b5c79d8859f8e7e708047590cc13ca95e008f6b4beac87e6528e','cd498481-6309-4645-9021-e50339a09043','2026-03-10 18:00:00.000000','2026-09-06 18:00:00.000000');
CREATE TABLE tally (
	question VARCHAR NOT NULL, 
	question_version VARCHAR NOT NULL, 
	turn VARCHAR NOT NULL, 
	late BOOLEAN NOT NULL, 
	certainty INTEGER NOT NULL, 
	response_hash VARCHAR NOT NULL, 
	response TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	CONSTRAINT pk_tally PRIMARY KEY (question, question_version, turn, late, certainty, response_hash)
);
INSERT INTO "tally" VALUES('why-two-layers','411e269240683e69','first',0,1,'ac8d8342bbb2362d13f0a559a3621bb4','"a"',1);
INSERT INTO "tally" VALUES('linear-parts','b89964140c3176ce','first',0,2,'300afc4d195ef414b995dbd791cb45c0','["a", "c"]',2);
INSERT INTO "tally" VALUES('share-right','175c7b184d3e93f6','first',0,3,'99d03fc3771fe6848d675339fc49eeb1','0.73',2);
INSERT INTO "tally" VALUES('linear-parts','b89964140c3176ce','again',0,0,'300afc4d195ef414b995dbd791cb45c0','["a", "c"]',2);
INSERT INTO "tally" VALUES('why-two-layers','411e269240683e69','first',0,1,'c100f95c1913f9c72fc1f4ef0847e1e7','"b"',1);
CREATE INDEX ix_note_author_id ON note (author_id);
CREATE INDEX ix_note_meeting ON note (meeting);
CREATE INDEX ix_sign_in_member_id ON sign_in (member_id);
CREATE INDEX ix_problem_report_question ON problem_report (question);
CREATE INDEX ix_answer_question_turn ON answer (question, turn);
CREATE INDEX ix_answer_reasons ON answer (question, answered_at) WHERE reason IS NOT NULL;
COMMIT;
