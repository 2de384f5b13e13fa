"""Invented lines with invented secrets and invented look-alikes, in the layout of the labelled table.

    synthetic.py WORDS COUNT > synthetic.tsv

Deterministic. The secrets are random, or words with every letter and digit replaced by another of its class, as the
labelled data have it; the look-alikes are words, identifiers, references and stand-ins.
"""

import base64
import random
import sys

NAMES_SECRET = """password passwd pwd pass db_password DB_PASSWORD dbPassword MYSQL_ROOT_PASSWORD rootPassword userPassword
admin_password adminPass smtp_password redisPassword POSTGRES_PASSWORD spring.datasource.password keystorePassword
ssl_passphrase passphrase PASSWORD Password user_pass testPassword password1 proxy_pass ldap.bind.password secret
client_secret clientSecret CLIENT_SECRET app_secret jwt_secret JWT_SECRET session_secret cookieSecret shared_secret
SECRET_KEY secret_key secretKey SecretKey webhook_secret consumerSecret AWS_SECRET_ACCESS_KEY secretAccessKey token
auth_token authToken AUTH_TOKEN access_token accessToken refresh_token api_token apiToken API_TOKEN bearer_token
github_token slackToken NPM_TOKEN bot_token csrf_secret api_key apiKey API_KEY apikey ApiKey x-api-key X-Api-Key
encryption_key encryptionKey private_key privateKey signing_key master_key access_key accessKey account_key
storageKey license_key consumer_key consumerKey hmac_key integration_key credential credentials creds auth salt nonce
password_salt SALT otp_secret totpSecret deploy_key subscription-key app_key appKey""".split()

NAMES_OTHER = """password_field passwordLabel PASSWORD_HINT forgot_password password_reset_url passwordFile password_file
token_type tokenType token_url tokenEndpoint TOKEN_NAME secret_name secretName SECRET_NAME secret_id secretRef
auth_type authType auth_method auth_url AUTH_BACKEND authority primary_key primaryKey foreign_key foreignKey sort_key
partition_key public_key publicKey cache_key cacheKey key_name keyName row_key hot_key registryKey translation_key
credential_type credentialsFile credential_source passwordPolicy password_hash passwordHash token_expires tokenLength
INVALID_PASSWORD PASSWORD_CHANGED LABEL_PASSWORD TITLE_TOKEN saltLength key_type keyType next_token pageToken""".split()

# Random values that are no secrets.
NAMES_OPEN = """public_key publicKey PUBLIC_KEY password_hash passwordHash encrypted_key encryptedPassword key_id keyId KEY_ID token_id
client_auth_id oauthClientId secret_id secretId token_hash tokenHash key_fingerprint keyFingerprint auth_request_id authority_key_id
idempotency_key idempotencyKey cache_key cacheKey hashKey hash_key partition_key primaryKey token_digest password_digest
secret_version_id next_page_token nextPageToken next_token continuation_token etag_key csrf_token_name commit_key""".split()

QUOTED = """{n} = "{v}"|{n} = '{v}'|{n}: "{v}",|{n}: '{v}',|"{n}": "{v}",|'{n}': '{v}',|"{n}" => "{v}",|'{n}' => '{v}',
:{n} => "{v}"|const {n} = "{v}";|let {n} = '{v}';|var {n} = "{v}"|val {n} = "{v}"|val {n}: String = "{v}"
private static final String {n} = "{v}";|public const string {n} = "{v}";|string {n} = "{v}";|{n} := "{v}"
self.{n} = "{v}"|this.{n} = '{v}';|${n} = '{v}';|$config['{n}'] = '{v}';|config["{n}"] = "{v}"|options.{n} = "{v}"
set_{n}("{v}")|builder.{n}("{v}")|client.login(user, {n}="{v}")|connect(host, {n}='{v}')|new Config().{n}("{v}")
define('{n}', '{v}');|os.getenv("{n}", "{v}")|os.environ.get('{n}', '{v}')|process.env.{n} || '{v}'|ENV['{n}'] || '{v}'
if {n} == "{v}":|if ({n} === '{v}') {|assert_eq!({n}, "{v}");|{n}="{v}"|export {n}="{v}"|export {n}='{v}'|{n}: "{v}"
<add key="{n}" value="{v}" />|<property name="{n}" value="{v}"/>|<entry key="{n}">{v}</entry>|<{n}>{v}</{n}>
<string name="{n}">{v}</string>|{"name": "{n}", "value": "{v}"}|"body": "{\\"{n}\\":\\"{v}\\"}"|curl -H "{n}: {v}" https://host
--{n} "{v}"|  {n} = "{v}"  |pub const {n}: &str = "{v}";|static let {n} = "{v}"|{n}: b"{v}",|return {n} === "{v}"
Authorization: OAuth {n}=\\"{v}\\",oauth_version=\\"1.0\\"|Authorization: OAuth {n}="{v}",oauth_signature_method="HMAC"|\\"{n}\\": \\"{v}\\", \\n
request.headers["{n}"] = "{v}"|.header("{n}", "{v}")|-var '{n}={v}'|{n}=`{v}`|# {n}: "{v}"|// {n} = "{v}"|* {n}: `{v}`""".replace("\n", "|").replace(" || ", "\1").split("|")

BARE = """{n}={v}|{n}: {v}|  {n}: {v}|- {n}={v}|  - {n}: {v}|export {n}={v}|ENV {n}={v}|ENV {n} {v}|--{n}={v}|--{n} {v}|{n} = {v}
#{n}={v}|# {n}: {v}|docker run -e {n}={v} image|set {n}={v}|{n}: {v}  # comment|* {n}: {v}|{n}:{v}|https://host/path?{n}={v}&x=1
command --{n} {v} --verbose|;{n} = {v}|Environment={n}={v}""".replace("\n", "|").split("|")

CODE_BARE = """{n} = {v}|{n}: {v},|{n}={v},|{n}={v})|self.{n} = {v}|{n} := {v}|const {n} = {v};|{n} = {v};|return {n} == {v}
{ {n}: {v} }|{n}: {v};|fn set({n}: {v}) {|func f({n}={v})|this.{n} = {v};|"{n}": {v},|let {n} = {v};""".replace("\n", "|").split("|")

LISTS = """{n} := []byte{{v}}|{n} = bytes([{v}])|const {n} = [{v}];|let {n} = [{v}];|byte[] {n} = { {v} };|uint8_t {n}[] = {{v}};
static const unsigned char {n}[32] = { {v} };|{n}: [{v}],|let {n}: [u8; 32] = [{v}];|{n} = new Uint8Array([{v}])""".replace("\n", "|").split("|")

COMMON = """password secret test admin root changeme example token user guest demo qwerty letmein welcome postgres mysql
default dummy sample secretpassword mypassword yourpassword foobar administrator superuser manager master service""".split()

ALPHABETS = {
    "alnum": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "loweralnum": "abcdefghijklmnopqrstuvwxyz0123456789",
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "urlsafe": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "base64": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "strong": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*-_=+?.",
}


class Maker:
    def __init__(self, words, seed):
        self.random = random.Random(seed)
        self.words = [word for word in words if len(word) >= 3]

    def pick(self, items):
        return self.random.choice(items)

    def letters(self, alphabet, length):
        return "".join(self.pick(ALPHABETS[alphabet]) for _ in range(length))

    def human(self):
        """Something that a person would type, readable."""
        word = self.pick(COMMON) if self.random.random() < 0.6 else self.pick(self.words)
        forms = [word, word, word, word + str(self.random.randint(0, 9999)), word.capitalize() + str(self.random.randint(0, 999)),
                 word + self.pick("-_. ") + self.pick(self.words), word.capitalize() + self.pick("!@#$") + str(self.random.randint(1, 99)),
                 word + self.pick("-_") + self.pick(COMMON) + self.pick(["", "1", "123"])]
        return self.pick(forms)

    def masked(self, text):
        """The text with every letter and digit replaced by another of its class."""
        return "".join(
            self.pick("abcdefghijklmnopqrstuvwxyz") if c.islower() else self.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ") if c.isupper()
            else self.pick("0123456789") if c.isdigit() else c for c in text
        )

    def secret(self):
        draw = self.random.random()
        if draw < 0.5:
            text = self.masked(self.human())
            return text if len(text) >= 5 else self.letters("lower", 6)
        if draw < 0.62:
            return self.letters("strong", self.random.randint(8, 24))
        if draw < 0.72:
            return self.letters(self.pick(["hex", "hex", "HEX"]), self.pick([10, 12, 14, 16, 20, 24, 32, 32, 40, 40, 64, 64, 128]))
        if draw < 0.78:
            raw = bytes(self.random.getrandbits(8) for _ in range(self.pick([8, 12, 16, 20, 24, 32, 32, 48, 64])))
            return base64.b64encode(raw).decode()
        if draw < 0.81:
            return "-".join(self.letters("hex", n) for n in (8, 4, 4, 4, 12))
        return self.letters(self.pick(["alnum", "alnum", "alnum", "loweralnum", "base32", "urlsafe", "base64"]), self.random.randint(8, 64))

    def numbers(self, is_secret):
        """A list of bytes: random, or counting, or all alike."""
        length, first = self.pick([12, 13, 16, 20, 24, 32, 32]), self.random.randint(0, 99)
        same = self.random.random() < 0.5
        numbers = [self.random.randint(0, 255) if is_secret else first if same else first + n for n in range(length)]
        return ", ".join(map(self.pick(["{}", "{}", "0x{:02x}", "0x{:02X}"]).format, numbers))

    def identifier(self):
        parts = [self.pick(self.words) for _ in range(self.random.randint(1, 4))]
        if self.random.random() < 0.4:
            parts.append(self.pick("password token secret key auth credential name id type".split()))
        form = self.random.randint(0, 6)
        return ["_".join(parts), "-".join(parts), "".join(p.capitalize() for p in parts), parts[0] + "".join(p.capitalize() for p in parts[1:]),
                "_".join(parts).upper(), ".".join(parts), "/".join(parts)][form]

    def stand_in(self):
        if self.random.random() < 0.35:
            return self.human()
        w = self.pick(self.words)
        return self.pick([
            "your_" + w + "_here", "my-" + w, "my_" + w, "<" + w + ">", "${" + w.upper() + "}", "xxxxxxxx", "********", "changeme", "test-" + w, "example-" + w,
            "fake-" + w, "some-" + w, "dummy_" + w, w + "-password", w + "_secret", "test" + w, w + "123", "1234567890", "abcdef123456", "my" + w.capitalize() + "Password",
            "YOUR_" + w.upper(), "YOUR-API-KEY", "{{ " + w + " }}", "%" + w.upper() + "%", "TODO", "secret", "password", "password123", "Password1!", "test1234",
            "a-secret", "the_secret", "not-a-real-" + w, "super-secret-" + w, "insert " + w, "deadbeefdeadbeef", "00000000", "123456", "0123456789abcdef", "abc123",
            "foobar", "foo-bar-baz", "testtoken", "access-token", "bearer", "admin", "root", "string", "value",
        ])

    def sentence(self):
        words = [self.pick(self.words) for _ in range(self.random.randint(2, 5))]
        return " ".join(words).capitalize() + self.pick(["", ".", ":", "?"])


def fill(template, name, value):
    return template.replace("\1", " || ").replace("{n}", name).replace("{v}", "\0"), value


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        words = file.read().split("\n")[1].split()
    maker = Maker(words, 20)
    print("repo\textension\tcategory\tlabel\tvalue_start\tvalue_end\tlines_b64")
    for _ in range(int(sys.argv[2])):
        draw = maker.random.random()
        if draw < 0.03:
            label, name, value = "F", maker.pick(NAMES_OPEN), maker.secret()
            template = maker.pick(QUOTED)
        elif draw < 0.05:
            label, name = maker.pick("TF"), maker.pick(NAMES_SECRET)
            value, template = maker.numbers(label == "T"), maker.pick(LISTS)
        elif draw < 0.5:
            label, name, value = "T", maker.pick(NAMES_SECRET), maker.secret()
            template = maker.pick(QUOTED) if maker.random.random() < 0.62 else maker.pick(BARE)
        elif draw < 0.7:
            label, name = "F", maker.pick(NAMES_SECRET)
            value = maker.identifier() if maker.random.random() < 0.6 else maker.sentence()
            template = maker.pick(QUOTED + CODE_BARE) if " " not in value else maker.pick(QUOTED)
        elif draw < 0.87:
            label, name, value = "X", maker.pick(NAMES_SECRET), maker.stand_in()
            template = maker.pick(QUOTED + BARE) if " " not in value else maker.pick(QUOTED)
        else:
            label, name = "F", maker.pick(NAMES_OTHER)
            value = maker.identifier() if maker.random.random() < 0.8 else maker.sentence()
            template = maker.pick(QUOTED + CODE_BARE) if " " not in value else maker.pick(QUOTED)
        if template in BARE and any(mark in value for mark in " #\"'"):
            value = "".join(c for c in value if c not in " #\"'")
        line, value = fill(template, name, value)
        start = line.index("\0")
        line = line.replace("\0", value)
        print("synthetic", "", "Synthetic", label, start, start + len(value), base64.b64encode(line.encode()).decode(), sep="\t")


main()
