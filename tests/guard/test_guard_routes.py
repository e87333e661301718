"""A key field is found in what has the shape of a route, and ignored everywhere else."""

import pytest

ROUTE = '"product_id": "prod_1", "price_id": "price_1", "customer_id": "cus_1"'


@pytest.mark.parametrize(
    "field", ["secret_key", "public_key", "Secret_Key", "stripe_secret_key", "api_key", "webhook_secret"]
)
@pytest.mark.parametrize(
    ("name", "content", "position"),
    [
        (
            "routes.yaml",
            "stripe:\n  default:\n    finance:\n      bot:\n        product_id: prod_1\n        {field}: x\n",
            "6:9",
        ),
        ("routes.yaml", "bot:\n  - {field}: x\n    price_id: ${{PRICE}}\n    customer_id: a\n", "2:5"),
        ("routes.yaml", "bot: {{price_id: price_1, {field}: x}}\n", "1:26"),
        ("routes.yaml", "bot:\n  price_id: price_1\n  overrides:\n    region:\n      eu:\n        {field}: x\n", "6:9"),
        ("routes.json", '{{"bot": {{\n  "price_id": "price_1",\n  "{field}": "x"\n}}}}\n', "3:4"),
        ("routes.json", '{{"bot": {{"price_id": "price_1", "{field}": "x"}}}}\n', "1:34"),
        ("routes.toml", '[finance.bot]\nprice_id = "price_1"\n{field} = "x"\n', "3:1"),
        ("routes.js", "const bot = {{\n  price_id: 'price_1',\n  {field}: key,\n}};\n", "3:3"),
        ("routes.php", "$bot = [\n  'price_id' => 'price_1',\n  '{field}' => $key,\n];\n", "3:4"),
        ("routes.rb", "bot = {{\n  price_id: 'price_1',\n  {field}: key,\n}}\n", "3:3"),
        ("routes.py", 'TABLE = {{\n    ("a", "b"): {{' + ROUTE.replace("{", "") + ', "{field}": KEY}},\n}}\n', None),
        ("routes.py", "bot = dict(price_id=a, customer_id=b, {field}=c)\n", "1:39"),
        ("routes.py", "class Route:\n    price_id: str\n    customer_id: str\n    {field}: str\n", "4:5"),
        ("routes.py", 'register_route("a", "b", {{"{field}": key}})\n', "1:27"),
        ("routes.py", "client.register_override(key=1, {field}=key)\n", "1:33"),
        ("routes.py", 'R = {{"price_id": "price_1", "overrides": {{"eu": {{"{field}": key}}}}}}\n', None),
    ],
)
def test_a_key_field_in_a_route_is_found(found, name, content, position, field):
    findings = found({name: content.format(field=field)})

    assert [finding.split()[1] for finding in findings] == ["BG401"]
    assert position is None or findings[0].startswith(f"{name}:{position} ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("routes.yaml", "bot:\n  product_id: prod_1\n  price_id: price_1\n  customer_id: cus_1\n"),
        ("routes.yaml", "bot:\n  price_id: price_1\n  # secret_key: x\n"),
        ("routes.yaml", "bot:\n  price_id: price_1\nvault:\n  secret_key: x\n"),
        ("routes.yaml", "- price_id: price_1\n- secret_key: x\n"),
        ("routes.toml", '[bot]\nprice_id = "price_1"\n[django]\nsecret_key = "x"\n'),
        ("ads.yaml", "ads:\n  customer_id: 123\n  api_key: x\n"),
        ("shop.json", '{"product_id": 7, "customer_id": 9, "api_key": "x"}'),
        ("settings.py", 'SETTINGS = {"secret_key": "x", "public_key": "y"}\n'),
        ("settings.py", 'SECRET_KEY = "x"\nproduct_id = "prod_1"\n'),
        ("a.js", "const a = {price_id: 'price_1'}; const b = {secret_key: k};\n"),
        ("a.py", 'client.post({"customer_id": c, "api_key": k})\n'),
        ("a.py", 'register_route("a", "b", {"price_id": "price_1"})\n'),
        ("a.py", 'route("/keys", secret_key=key)\n'),
        ("README.md", "bot:\n  price_id: price_1\n  secret_key: x\n"),
    ],
)
def test_routes_without_a_key_and_keys_without_a_route_are_ignored(found, name, content):
    assert found({name: content}) == []
