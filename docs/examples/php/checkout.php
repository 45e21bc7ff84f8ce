<?php
// A purchase with PDO, and the product as every page must show it afterwards.

declare(strict_types=1);

/** Takes so many from the stock. The position of the transaction, or null if there are too few. */
function take(PDO $database, string $id, int $count): ?string
{
    $database->beginTransaction();
    try {
        $take = $database->prepare(
            'UPDATE product SET stock_quantity = stock_quantity - ? WHERE id = ? AND stock_quantity >= ?'
        );
        $take->execute([$count, $id, $count]);
        // In the transaction that writes: it is this one that the answers shall show.
        $position = $take->rowCount() === 0
            ? null
            : $database->query('SELECT pg_current_xact_id()::text')->fetchColumn();
        $database->commit();
        return $position;
    } catch (Throwable $error) {
        $database->rollBack();
        throw $error;
    }
}

/** Buys, and looks up what is left, on whatever node answers. */
function buy(PDO $database, Tingkat $tingkat, string $id, int $count): ?array
{
    // What is paid is decided by a value that is current now.
    $product = $tingkat->lookUp("/v1/products/$id", current: true)['value'];
    if ($product === null) return null;
    $position = take($database, $id, $count);
    if ($position === null) return null;
    $after = $tingkat->lookUp("/v1/products/$id", position: $position)['value'];
    return ['paid' => $product['price'], 'left' => $after['stock_quantity'], 'position' => $position];
}
