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

DOT_OP void dot_128_plain(const uint8_t *w, const int8_t *x, unsigned sub, bool wide,
                          int32_t *sums)
{
    (void)wide;
    for (size_t from = 0; from < 128; from += sub) {
        int32_t sum = 0;
        for (size_t i = from; i < from + sub; i++)
            sum += w[i] * x[i];
        sums[from / sub] = sum;
    }
}
