/* Vectors of floats at the level that is being compiled. Inside model/kernels/ only. */
#ifndef MODEL_KERNELS_LANES_H
#define MODEL_KERNELS_LANES_H

#include <math.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
typedef __m512 lanes;
static inline lanes lanes_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void lanes_store(float *p, lanes a)
{
    _mm512_storeu_ps(p, a);
}
static inline lanes lanes_all(float a)
{
    return _mm512_set1_ps(a);
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}
#elif defined(__AVX2__)
#include <immintrin.h>
#define LANES 8
typedef __m256 lanes;
static inline lanes lanes_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void lanes_store(float *p, lanes a)
{
    _mm256_storeu_ps(p, a);
}
static inline lanes lanes_all(float a)
{
    return _mm256_set1_ps(a);
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define LANES 4
typedef float32x4_t lanes;
static inline lanes lanes_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void lanes_store(float *p, lanes a)
{
    vst1q_f32(p, a);
}
static inline lanes lanes_all(float a)
{
    return vdupq_n_f32(a);
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return vfmaq_f32(c, a, b);
}
#else
#define LANES 1
typedef float lanes;
static inline lanes lanes_load(const float *p)
{
    return *p;
}
static inline void lanes_store(float *p, lanes a)
{
    *p = a;
}
static inline lanes lanes_all(float a)
{
    return a;
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return fmaf(a, b, c);
}
#endif

#endif
