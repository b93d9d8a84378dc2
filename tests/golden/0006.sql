BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
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
INSERT INTO "answer" VALUES('ba7faab7-4f8f-4220-8ee7-cba53b25f663','00000000-0000-0000-0000-000000000000','example','why-two-layers',1,'411e269240683e69','c82ee0e80a99b940','"a"',1,NULL,0,'2026-03-10 18:00:00.000000','2a2aadb2880b38d2803f8c56cea7d4d3ea65426414c2ba2562c02ee20450461d','{"id":"00000000-0000-0000-0000-000000000000","quiz":"example","question":"why-two-layers","response":"a","certainty":1,"reason":null,"correct":true,"score":1.0,"late":false,"feedback":[{"option":"a","text_html":"<p>Yes, a previous-token head.</p>\n"}],"key":"a","why_html":"<p>Only an earlier layer can have written what it matches. CANARY-WHY-SINGLE</p>\n","source_html":"Olsson et al. 2022, arXiv:2209.11895","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('ba7faab7-4f8f-4220-8ee7-cba53b25f663','00000000-0000-0000-0000-000000000001','example','linear-parts',1,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',2,'I counted.
Twice.',0,'2026-03-10 18:00:00.000000','8e35d7cdeed28716f97f0eb1c91e141733deff406437ab8eb2b5d4f8a4c968dd','{"id":"00000000-0000-0000-0000-000000000001","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":2,"reason":"I counted.\r\nTwice.","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('ba7faab7-4f8f-4220-8ee7-cba53b25f663','00000000-0000-0000-0000-000000000002','example','share-right',1,'175c7b184d3e93f6','6d5d050200694159','0.73',3,'',0,'2026-03-10 18:00:00.000000','f2411cfe91901069657b99c341d52f8b03968613600dcc0b70f6a1194c2db58b','{"id":"00000000-0000-0000-0000-000000000002","quiz":"example","question":"share-right","response":0.73,"certainty":3,"reason":"","correct":true,"score":1.0,"late":false,"feedback":[],"key":0.7310585,"why_html":"<p>CANARY-WHY-NUMBER</p>\n","source_html":"The example notebook","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":[{"fact":"example-accuracy","value":0.7310585,"tolerance":0.01,"notebook":"00_example","notebook_key":"0000","model":"example"}]}','first');
INSERT INTO "answer" VALUES('ba7faab7-4f8f-4220-8ee7-cba53b25f663','00000000-0000-0000-0000-000000000003','example','linear-parts',2,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',NULL,'naïve “guess”',0,'2026-03-10 18:00:00.000000','359eed462d0cad252fb5a973df0691fc99eede95cf842c6b52518e8c72da7ce6','{"id":"00000000-0000-0000-0000-000000000003","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":null,"reason":"naïve “guess”","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','again');
INSERT INTO "answer" VALUES('aedda691-6007-4487-8725-2857f98323f4','00000000-0000-0000-0000-000000000064','example','why-two-layers',1,'411e269240683e69','c82ee0e80a99b940','"b"',1,NULL,0,'2026-03-10 18:00:00.000000','305e8cd7a570982a27b1dddf706c7f67044865d364f183367b7df1d8d228f074','{"id":"00000000-0000-0000-0000-000000000064","quiz":"example","question":"why-two-layers","response":"b","certainty":1,"reason":null,"correct":false,"score":0.0,"late":false,"feedback":[{"option":"b","text_html":"<p>That is what it does itself.</p>\n"}],"key":"a","why_html":"<p>Only an earlier layer can have written what it matches. CANARY-WHY-SINGLE</p>\n","source_html":"Olsson et al. 2022, arXiv:2209.11895","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('aedda691-6007-4487-8725-2857f98323f4','00000000-0000-0000-0000-000000000065','example','linear-parts',1,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',2,'I counted.
Twice.',0,'2026-03-10 18:00:00.000000','866964c138f18848bb7fbd0064c4320a05fb140eb2a0731dffd9e76cfcefe9c6','{"id":"00000000-0000-0000-0000-000000000065","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":2,"reason":"I counted.\r\nTwice.","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','first');
INSERT INTO "answer" VALUES('aedda691-6007-4487-8725-2857f98323f4','00000000-0000-0000-0000-000000000066','example','share-right',1,'175c7b184d3e93f6','6d5d050200694159','0.73',3,'',0,'2026-03-10 18:00:00.000000','87028c26c356a2a2feec0c50d4fa3c7b1c62f190b3ccac6d8f6446e07f007435','{"id":"00000000-0000-0000-0000-000000000066","quiz":"example","question":"share-right","response":0.73,"certainty":3,"reason":"","correct":true,"score":1.0,"late":false,"feedback":[],"key":0.7310585,"why_html":"<p>CANARY-WHY-NUMBER</p>\n","source_html":"The example notebook","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":[{"fact":"example-accuracy","value":0.7310585,"tolerance":0.01,"notebook":"00_example","notebook_key":"0000","model":"example"}]}','first');
INSERT INTO "answer" VALUES('aedda691-6007-4487-8725-2857f98323f4','00000000-0000-0000-0000-000000000067','example','linear-parts',2,'b89964140c3176ce','58426dc6c2e59b35','["a", "c"]',NULL,'naïve “guess”',0,'2026-03-10 18:00:00.000000','5ef1f162d8d7001a6fa587ac8ea393434ebbf470a7612c041934f30f9dfdc93e','{"id":"00000000-0000-0000-0000-000000000067","quiz":"example","question":"linear-parts","response":["a","c"],"certainty":null,"reason":"naïve “guess”","correct":true,"score":1.0,"late":false,"feedback":[],"key":["a","c"],"why_html":"<p>CANARY-WHY-MULTIPLE</p>\n","source_html":"Elhage et al. 2021","answered_at":"2026-03-10T18:00:00Z","tries_left":null,"correction":null,"provenance":null}','again');
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
CREATE TABLE "invitation" (
	code_hash VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	member_id VARCHAR, 
	made_by_id VARCHAR, 
	CONSTRAINT pk_invitation PRIMARY KEY (code_hash), 
	CONSTRAINT fk_invitation_member_id FOREIGN KEY(member_id) REFERENCES member (id), 
	CONSTRAINT fk_invitation_made_by_id FOREIGN KEY(made_by_id) REFERENCES member (id)
);
INSERT INTO "invitation" VALUES('44c7ff79eb1778511f299d8739eed64f2a25c054f2dc4584a20487a6425732af','','organizer','2026-03-10 18:00:00.000000','2026-03-24 18:00:00.000000','2026-03-10 18:00:00.000000',NULL,NULL);
INSERT INTO "invitation" VALUES('e01b9a2499c645ba51c0bbe9ce8500ba3c5bc0d87a067538e1842b4fe5008021','','member','2026-03-10 18:00:00.000000','2026-03-24 18:00:00.000000','2026-03-10 18:00:00.000000',NULL,NULL);
CREATE TABLE member (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	joined_at DATETIME NOT NULL, 
	erased_at DATETIME, removed_at DATETIME, 
	CONSTRAINT pk_member PRIMARY KEY (id), 
	CONSTRAINT ck_member_role CHECK (role IN ('member', 'organizer'))
);
INSERT INTO "member" VALUES('ba7faab7-4f8f-4220-8ee7-cba53b25f663','Ada','organizer','2026-03-10 18:00:00.000000',NULL,NULL);
INSERT INTO "member" VALUES('aedda691-6007-4487-8725-2857f98323f4','Zoë 深い','member','2026-03-10 18:00:00.000000',NULL,NULL);
CREATE TABLE "note" (
	id VARCHAR NOT NULL, 
	meeting VARCHAR, 
	author_id VARCHAR NOT NULL, 
	visibility VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	entry VARCHAR, 
	exported_version INTEGER, 
	CONSTRAINT pk_note PRIMARY KEY (id), 
	CONSTRAINT ck_note_visibility CHECK (visibility IN ('private', 'group', 'public')), 
	CONSTRAINT fk_note_author_id FOREIGN KEY(author_id) REFERENCES member (id), 
	CONSTRAINT ck_note_place CHECK ((meeting IS NULL) <> (entry IS NULL))
);
INSERT INTO "note" VALUES('00000000-0000-0000-0000-000000000000','2026-03-12','ba7faab7-4f8f-4220-8ee7-cba53b25f663','private',2,'2026-03-10 18:00:00.000000',NULL,NULL,NULL);
INSERT INTO "note" VALUES('00000000-0000-0000-0000-000000000001','2026-03-12','aedda691-6007-4487-8725-2857f98323f4','public',2,'2026-03-10 18:00:00.000000',NULL,NULL,NULL);
CREATE TABLE "note_revision" (
	note_id VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	editor_id VARCHAR, 
	body TEXT NOT NULL, 
	saved_at DATETIME NOT NULL, 
	html TEXT, 
	fingerprint VARCHAR, 
	visibility VARCHAR NOT NULL, 
	block_version INTEGER, 
	CONSTRAINT pk_note_revision PRIMARY KEY (note_id, version), 
	CONSTRAINT ck_note_revision_visibility CHECK (visibility IN ('private', 'group', 'public')), 
	CONSTRAINT fk_note_revision_note_id FOREIGN KEY(note_id) REFERENCES note (id), 
	CONSTRAINT fk_note_revision_editor_id FOREIGN KEY(editor_id) REFERENCES member (id)
);
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000000',1,'ba7faab7-4f8f-4220-8ee7-cba53b25f663','# First

$a_1$ ''quoted'' \ 	
  ','2026-03-10 18:00:00.000000','<h3>First</h3>
<p><math display="inline"><mrow><msub><mi>a</mi><mn>1</mn></msub></mrow></math> ''quoted'' \</p>
','4a1779511a57faf6','group',NULL);
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000000',2,'ba7faab7-4f8f-4220-8ee7-cba53b25f663','Second; with a semicolon
','2026-03-10 18:00:00.000000','<p>Second; with a semicolon</p>
','4a1779511a57faf6','private',NULL);
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000001',1,'aedda691-6007-4487-8725-2857f98323f4','# First

$a_1$ ''quoted'' \ 	
  ','2026-03-10 18:00:00.000000','<h3>First</h3>
<p><math display="inline"><mrow><msub><mi>a</mi><mn>1</mn></msub></mrow></math> ''quoted'' \</p>
','4a1779511a57faf6','group',NULL);
INSERT INTO "note_revision" VALUES('00000000-0000-0000-0000-000000000001',2,'aedda691-6007-4487-8725-2857f98323f4','Second; with a semicolon
','2026-03-10 18:00:00.000000','<p>Second; with a semicolon</p>
','4a1779511a57faf6','public',NULL);
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
CREATE TABLE "sign_in" (
	token_hash VARCHAR NOT NULL, 
	member_id VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	device VARCHAR NOT NULL, 
	used_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in PRIMARY KEY (token_hash), 
	CONSTRAINT fk_sign_in_member_id FOREIGN KEY(member_id) REFERENCES member (id)
);
INSERT INTO "sign_in" VALUES('982bdf3abe27b04a7652c5dffffdad06083571bdcdbd618378f5a8f0efe28b73','ba7faab7-4f8f-4220-8ee7-cba53b25f663','2026-03-10 18:00:00.000000','2026-09-06 18:00:00.000000','testclient','2026-03-10 18:00:00.000000');
INSERT INTO "sign_in" VALUES('9781a3da1162f1b0563b9c30bade598448175be3ed293d8220c71ba5289e3ef6','aedda691-6007-4487-8725-2857f98323f4','2026-03-10 18:00:00.000000','2026-09-06 18:00:00.000000','testclient','2026-03-10 18:00:00.000000');
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
CREATE TABLE wrong_codes (
	network VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	n INTEGER NOT NULL, 
	CONSTRAINT pk_wrong_codes PRIMARY KEY (network)
);
CREATE INDEX ix_problem_report_question ON problem_report (question);
CREATE INDEX ix_answer_question_turn ON answer (question, turn);
CREATE INDEX ix_answer_reasons ON answer (question, answered_at) WHERE reason IS NOT NULL;
CREATE INDEX ix_note_author_id ON note (author_id);
CREATE INDEX ix_note_meeting ON note (meeting);
CREATE INDEX ix_note_entry ON note (entry);
CREATE INDEX ix_sign_in_member_id ON sign_in (member_id);
CREATE INDEX ix_invitation_member_id ON invitation (member_id);
COMMIT;
