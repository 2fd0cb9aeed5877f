/* Products of bytes in plain C. Inside model/kernels/dot8.c only. */

typedef int32_t ints;
struct quads_plain {
    uint8_t bytes[4];
};

DOT_OP ints ints_all(int32_t v)
{
    return v;
}

DOT_OP lanes ints_to_lanes(ints v)
{
    return (float)v;
}

DOT_OP struct quads_plain quads_load_plain(const uint8_t *w, bool wide)
{
    (void)wide;
    return (struct quads_plain){{w[0], w[1], w[2], w[3]}};
}

DOT_OP ints quads_dot_plain(ints sums, const struct quads_plain *w, const int8_t *x, bool wide)
{
    (void)wide;
    for (int i = 0; i < 4; i++)
        sums += w->bytes[i] * x[i];
    return sums;
}

/* The values of 128 columns, from sub-block b on. */
DOT_OP void values_128_plain(const struct kernel_row8 *t, bool wide, size_t b)
{
    (void)wide;
    for (size_t end = b + 128 / t->sub; b < end; b++) {
        int32_t sum = t->start[b];
        for (size_t i = b * t->sub; i < (b + 1) * t->sub; i++)
            sum += t->w[i] * t->x[i];
        t->values[b] = (float)sum * t->scale[b];
    }
}
