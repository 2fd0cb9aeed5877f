/*
 * The loops of products of bytes, for one set of instructions. Included by dot8.c once for
 * each, with DOT(name) for the set's names and DOT_TARGET for its functions.
 */

/* ---- Many inputs ----------------------------------------------------------------- */

DOT_TARGET DOT_OP void DOT(add_block)(const struct kernel_tile8 *t, const struct tile_kind kind,
                                      size_t b, lanes sums[MR][VECTORS])
{
    ints products[MR][VECTORS];
    const uint8_t *w = t->w + b * kind.quads * NR * 4;
    const int8_t *x = t->x + b * kind.quads * MR * 4;
    for (size_t i = 0; i < MR; i++)
        for (size_t v = 0; v < VECTORS; v++)
            products[i][v] = ints_all(t->start[b * MR + i]);
#pragma GCC unroll 8
    for (size_t q = 0; q < kind.quads; q++) {
        struct DOT(quads) weights[VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            weights[v] = DOT(quads_load)(w + (q * NR + v * QUANT_LANES) * 4, kind.wide);
#pragma GCC unroll 8
        for (size_t i = 0; i < MR; i++)
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++)
                products[i][v] = DOT(quads_dot)(products[i][v], &weights[v],
                                                x + (q * MR + i) * 4, kind.wide);
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < VECTORS; v++) {
        lanes scale = lanes_load(t->scale + b * NR + v * QUANT_LANES);
        lanes min = kind.has_min ? lanes_load(t->min + b * NR + v * QUANT_LANES) : scale;
#pragma GCC unroll 8
        for (size_t i = 0; i < MR; i++) {
            lanes value = ints_to_lanes(products[i][v]) * scale;
            sums[i][v] = lanes_fma(value, lanes_all(t->dx[b * MR + i]), sums[i][v]);
            if (kind.has_min)
                sums[i][v] = lanes_fnma(min, lanes_all(t->xs[b * MR + i]), sums[i][v]);
        }
    }
}

DOT_TARGET DOT_OP void DOT(run_tile)(const struct kernel_tile8 *t, const struct tile_kind kind)
{
    lanes sums[MR][VECTORS];
#pragma GCC unroll 8
    for (size_t i = 0; i < MR; i++)
        for (size_t v = 0; v < VECTORS; v++)
            sums[i][v] = t->add ? lanes_load(t->c + i * NR + v * QUANT_LANES) : lanes_all(0.0f);
    for (size_t b = 0; b < t->blocks; b++)
        DOT(add_block)(t, kind, b, sums);
#pragma GCC unroll 8
    for (size_t i = 0; i < MR; i++)
        for (size_t v = 0; v < VECTORS; v++)
            lanes_store(t->c + i * NR + v * QUANT_LANES, sums[i][v]);
}

/* ---- One row and one input ------------------------------------------------------- */

/* The last sub-blocks, where they are less than 128 columns: with room behind them. */
DOT_TARGET DOT_OP void DOT(run_rest)(const struct kernel_row8 *t, bool wide, size_t from)
{
    struct kernel_row8 rest = *t;
    const size_t blocks = t->blocks - from;
    float scale[8] = {0}, values[8];
    int32_t start[8] = {0};
    memcpy(scale, t->scale + from, blocks * sizeof(float));
    memcpy(start, t->start + from, blocks * sizeof(int32_t));
    rest.w += from * t->sub;
    rest.x += from * t->sub;
    rest.scale = scale;
    rest.start = start;
    rest.values = values;
    DOT(values_128)(&rest, wide, 0);
    memcpy(t->values + from, values, blocks * sizeof(float));
}

DOT_TARGET DOT_OP void DOT(run_row)(const struct kernel_row8 *t, bool wide)
{
    const size_t of_128 = 128 / t->sub;
    size_t b = 0;
    for (; b + of_128 <= t->blocks; b += of_128)
        DOT(values_128)(t, wide, b);
    if (b < t->blocks)
        DOT(run_rest)(t, wide, b);
}

/* ---- Kinds ----------------------------------------------------------------------- */

#define KIND(name, ...)                                                                        \
    DOT_TARGET static void DOT(tile_##name)(const struct kernel_tile8 *t)                      \
    {                                                                                          \
        DOT(run_tile)(t, (struct tile_kind){__VA_ARGS__});                                     \
    }
KIND(16, 4, false, false)
KIND(16_min, 4, true, false)
KIND(32, 8, false, false)
KIND(32_min, 8, true, false)
KIND(32_wide, 8, false, true)
#undef KIND

static void DOT(tile)(const struct kernel_tile8 *t)
{
    static void (*const tiles[2][2])(const struct kernel_tile8 *) = {
        {DOT(tile_16), DOT(tile_16_min)}, {DOT(tile_32), DOT(tile_32_min)}};
    if (t->wide)
        DOT(tile_32_wide)(t);
    else
        tiles[t->sub == 32][t->min != NULL](t);
}

DOT_TARGET static void DOT(row)(const struct kernel_row8 *t)
{
    if (t->wide)
        DOT(run_row)(t, true);
    else
        DOT(run_row)(t, false);
}
