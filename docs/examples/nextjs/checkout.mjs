// A purchase with Prisma, and the product as every page must show it afterwards.

/** Takes so many from the stock. The position of the transaction, or null if there are too few. */
export async function take(prisma, id, count) {
  return prisma.$transaction(async (tx) => {
    const taken = await tx.product.updateMany({
      where: { id, stock: { gte: count } },
      data: { stock: { decrement: count } },
    });
    if (taken.count === 0) return null;
    // In the transaction that writes: it is this one that the answers shall show.
    const [{ position }] = await tx.$queryRaw`SELECT pg_current_xact_id()::text AS position`;
    return position;
  });
}

/** Buys, and looks up what is left, on whatever node answers. */
export async function buy(prisma, tingkat, id, count) {
  // What is paid is decided by a value that is current now.
  const { value: product } = await tingkat.lookUp(`/v1/products/${id}`, { current: true });
  if (!product) return null;
  const position = await take(prisma, id, count);
  if (position === null) return null;
  const { value: after } = await tingkat.lookUp(`/v1/products/${id}`, { position });
  return { paid: product.price, left: after.stock_quantity, position };
}
