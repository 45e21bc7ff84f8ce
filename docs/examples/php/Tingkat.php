<?php
// Look-ups for a storefront in PHP 8.1 or later, with ext-curl. Where APCu is on, answers are kept
// between requests of visitors; elsewhere for as long as the object lives.

declare(strict_types=1);

/** The store has no answer that may be used. Show a page that says so, and ask again later. */
final class Unavailable extends RuntimeException
{
    public function __construct(public readonly string $problem, public readonly int $retryAfter)
    {
        parent::__construct("the store has no answer: $problem");
    }
}

/** The request is wrong, and stays wrong: a bug of the caller, or what a visitor typed. */
final class Refused extends RuntimeException
{
    public function __construct(public readonly int $status, public readonly ?string $problem, string $detail)
    {
        parent::__construct($detail);
    }
}

final class Tingkat
{
    /** How long an answer is held for the time when the service is away. */
    private const HELD_SECONDS = 86_400;

    private array $held = [];
    private readonly bool $shared;
    private ?CurlHandle $curl = null;

    public function __construct(
        private readonly string $url,
        private readonly int $timeoutMs = 2_000,
        private readonly int $connectTimeoutMs = 300,
    ) {
        $this->shared = function_exists('apcu_enabled') && apcu_enabled();
    }

    /**
     * Looks up a path such as `/v1/products/7`: `['value' => …, 'stale' => …]`, where `value` is null if
     * it is known that there is no such thing, and `stale` tells that the answer is not known to be
     * current.
     *
     * `$position`: the answer shows at least this write. `$current`: it is current now, for a checkout.
     * With either of them nothing old is ever returned; there is `Unavailable` instead.
     */
    public function lookUp(string $path, ?string $position = null, bool $current = false): array
    {
        $held = $this->held($path);
        $headers = [];
        if ($held !== null) $headers[] = "If-None-Match: {$held['etag']}";
        if ($position !== null) $headers[] = "Tingkat-Position: $position";
        if ($current) $headers[] = 'Cache-Control: no-cache';
        $old = $held !== null && $position === null && !$current
            ? ['value' => $held['value'], 'stale' => true]
            : null;

        [$status, $fields, $body] = $this->fetch($path, $headers);
        if ($status === 0) return $old ?? throw new Unavailable('unreachable', 1);
        $value = $status === 304 ? $held['value'] : json_decode($body, true);
        // A proxy in front may answer with a page.
        if ($status !== 304 && json_last_error() !== JSON_ERROR_NONE) {
            return $old ?? throw new Unavailable("status $status", 1);
        }

        if ($status === 200 || $status === 304) {
            $this->hold($path, ['etag' => $fields['etag'] ?? '', 'value' => $value]);
            $stale = preg_match('/;\s*detail=stale/', $fields['cache-status'] ?? '') === 1;
            return ['value' => $value, 'stale' => $stale];
        }
        if ($status === 404) {
            $this->drop($path);
            return ['value' => null, 'stale' => false];
        }
        // 503 is over soon, 504 took too long, and 500 is a bug that others do not have.
        if ($status >= 500) {
            return $old ?? throw new Unavailable(
                $value['code'] ?? "status $status",
                (int) ($fields['retry-after'] ?? 1),
            );
        }
        throw new Refused($status, $value['code'] ?? null, $value['detail'] ?? "the store answered $status");
    }

    /** Status, headers by their names in small letters, and body; the status 0 if there was no answer. */
    private function fetch(string $path, array $headers): array
    {
        // One handle keeps its connection from look-up to look-up.
        $this->curl ??= curl_init();
        curl_reset($this->curl);
        $fields = [];
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $this->url . $path,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT_MS => $this->connectTimeoutMs,
            CURLOPT_TIMEOUT_MS => $this->timeoutMs,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$fields): int {
                [$name, $value] = explode(':', $line, 2) + [1 => ''];
                $fields[strtolower($name)] = trim($value);
                return strlen($line);
            },
        ]);
        $body = curl_exec($this->curl);
        if ($body === false) return [0, [], ''];
        return [curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $fields, $body];
    }

    private function held(string $path): ?array
    {
        if (!$this->shared) return $this->held[$path] ?? null;
        $held = apcu_fetch("tingkat:$path");
        return is_array($held) ? $held : null;
    }

    private function hold(string $path, array $answer): void
    {
        if ($answer['etag'] === '') return;
        if ($this->shared) {
            apcu_store("tingkat:$path", $answer, self::HELD_SECONDS);
        } else {
            $this->held[$path] = $answer;
        }
    }

    private function drop(string $path): void
    {
        unset($this->held[$path]);
        if ($this->shared) apcu_delete("tingkat:$path");
    }
}
