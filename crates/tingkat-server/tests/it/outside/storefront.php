<?php
// A storefront that does what docs/php.md says: `php storefront.php <docs/examples> whole|cut <shares>`.

declare(strict_types=1);

[, $examples, $phase, $shares] = $argv;
require "$examples/php/Tingkat.php";
require "$examples/php/checkout.php";

function check(bool $is, string $what): void
{
    if (!$is) throw new LogicException($what);
}

/** The error that a look-up ends with. */
function failure(callable $lookUp): Throwable
{
    try {
        $lookUp();
    } catch (Throwable $error) {
        return $error;
    }
    throw new LogicException('it did not fail');
}

[$one, $other] = explode(',', getenv('TINGKAT_URLS'));
$pid = (int) getenv('TINGKAT_PID');
check((function_exists('apcu_enabled') && apcu_enabled()) === ($shares === '1'), 'APCu');

function whole(string $one, string $other, int $pid): void
{
    $url = parse_url(getenv('DATABASE_URL'));
    $database = new PDO(
        "pgsql:host={$url['host']};port={$url['port']};dbname=" . ltrim($url['path'], '/'),
        $url['user'] ?? null,
        $url['pass'] ?? null,
        [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION],
    );
    $nodes = [new Tingkat($one, 30_000, 30_000), new Tingkat($other, 30_000, 30_000)];

    // Every write shows at once, on a node that has not heard of it.
    $before = $nodes[0]->lookUp('/v1/products/8', current: true)['value'];
    $left = $before['stock_quantity'];
    check($left > 8, "$left");
    for ($round = 0; $round < 3; $round++) {
        $bought = buy($database, $nodes[$round % 2], '8', 1);
        $left--;
        check($bought['left'] === $left, "{$bought['left']} and not $left");
        check($bought['paid'] === $before['price'], 'paid');
        $after = $nodes[($round + 1) % 2]->lookUp('/v1/products/8', position: $bought['position']);
        check($after['value']['stock_quantity'] === $left, 'elsewhere');
    }
    check(buy($database, $nodes[0], '8', 1_000_000) === null, 'too many');
    check(buy($database, $nodes[0], 'nowhere', 1) === null, 'nowhere');
    $position = take($database, '8', 1);
    $shown = (new Tingkat($one, 30_000, 30_000))->lookUp('/v1/products/8', position: $position);
    check($shown['value']['stock_quantity'] === $left - 1, 'at once');

    $path = '/v1/products?sort=name&limit=2';
    $first = $nodes[1]->lookUp($path);
    check($nodes[1]->lookUp($path) == $first, 'held');
    check($nodes[1]->lookUp('/v1/products/nowhere') === ['value' => null, 'stale' => false], 'absent');
    $refused = failure(fn () => $nodes[1]->lookUp('/v1/postcodes/5045'));
    check($refused instanceof Refused && $refused->problem === 'postcode_malformed', 'refused');

    // A service that hangs: what is held, marked, and nothing old for a checkout.
    posix_kill($pid, SIGSTOP);
    try {
        $quick = new ReflectionProperty(Tingkat::class, 'held');
        $hasty = new Tingkat($other, 300, 300);
        $quick->setValue($hasty, $quick->getValue($nodes[1]));
        check($hasty->lookUp($path) === ['value' => $first['value'], 'stale' => true], 'hangs');
        foreach (
            [
                fn () => $hasty->lookUp($path, current: true),
                fn () => $hasty->lookUp($path, position: $position),
                fn () => $hasty->lookUp('/v1/products/9'),
            ] as $lookUp
        ) {
            check(failure($lookUp) instanceof Unavailable, 'nothing old');
        }
    } finally {
        posix_kill($pid, SIGCONT);
    }
    check($nodes[1]->lookUp($path) == $first, 'again');
}

/** The nodes have lost their database: they answer on, marked, and a checkout is told. */
function cut(string $one): void
{
    $tingkat = new Tingkat($one, 30_000, 30_000);
    $error = failure(fn () => $tingkat->lookUp('/v1/products/8', current: true));
    check($error instanceof Unavailable && $error->problem === 'not_current', get_class($error));
    check($error->retryAfter >= 1, 'retry');
    do {
        $answer = $tingkat->lookUp('/v1/products/8');
        check($answer['value']['id'] === '8', 'id');
        // Current until the bound is over.
    } while (!$answer['stale']);
}

$phase === 'whole' ? whole($one, $other, $pid) : cut($one);
