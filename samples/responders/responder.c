/* A responder for `xent conform --exec ./responder`: cross-entropy in C, computed in double and rounded once.
 *
 *     cc -O2 -o responder responder.c -lm
 *
 * It reads one request a line from standard input and answers each with one line; arrays are .npy files.  The
 * protocol is in xentcli/conform/README.md.  Formulas, with m = max x and lambda = log sum_c exp(x_c - m):
 *
 *     -log p_c = lambda + (m - x_c)           loss = sum_c a_c (-log p_c)          gradient = s (Q p_c - a_c)
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DIMENSIONS 8

typedef struct {
    char type[8];                 /* as NumPy spells it: <f4, <f2, <i8, |u1; bfloat16 is |V2 */
    int dimensions;
    long shape[MOST_DIMENSIONS];
    long size;
    double *values;
} Array;

/* --- 16-bit formats: `bits` of significand, smallest number 2^least, infinity from 2^top on ------------------- */

typedef struct { int bits, least, top; } Format;
static const Format HALF = {11, -24, 16}, BRAIN = {8, -133, 128};

static double decoded(uint16_t word, Format format)
{
    int width = format.bits - 1;  /* of the stored significand */
    int exponent = (word & 0x7fff) >> width, fraction = word & ((1 << width) - 1);
    double magnitude = exponent == 0x7fff >> width ? (fraction ? NAN : INFINITY)
                     : exponent ? ldexp(fraction + (1 << width), exponent - 1 + format.least)
                     : ldexp(fraction, format.least);
    return word & 0x8000 ? -magnitude : magnitude;
}

static uint16_t encoded(double value, Format format)
{
    int width = format.bits - 1, exponent;
    uint16_t sign = signbit(value) ? 0x8000 : 0, infinity = (uint16_t)(0x7fff >> width << width);
    if (isnan(value)) return sign | infinity | 1;
    if (isinf(value)) return sign | infinity;
    if (value == 0.0) return sign;
    frexp(value, &exponent);
    int place = exponent - format.bits > format.least ? exponent - format.bits : format.least;
    double units = nearbyint(ldexp(fabs(value), -place));  /* ties to even, as the processor rounds by default */
    if (ldexp(units, place) >= ldexp(1.0, format.top)) return sign | infinity;
    return sign | (uint16_t)((long)units + ((long)(place - format.least) << width));
}

/* --- .npy files ------------------------------------------------------------------------------------------------ */

static double element(const char *type, const unsigned char *bytes)
{
#define AS(kind, name) if (!strcmp(type, name)) { kind value; memcpy(&value, bytes, sizeof value); return (double)value; }
    AS(double, "<f8") AS(float, "<f4") AS(int64_t, "<i8") AS(int32_t, "<i4") AS(int16_t, "<i2")
    AS(int8_t, "|i1") AS(uint8_t, "|u1")
#undef AS
    uint16_t word;
    memcpy(&word, bytes, sizeof word);
    return decoded(word, strcmp(type, "<f2") ? BRAIN : HALF);
}

static int read_array(const char *path, Array *array)
{
    unsigned char start[12];
    FILE *file = fopen(path, "rb");
    if (!file || fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6)) return 0;
    long length = start[8] | start[9] << 8;
    char *header = calloc(1, length + 1);
    if (fread(header, 1, length, file) != (size_t)length) return 0;
    sscanf(strstr(header, "'descr': '") + 10, "%7[^']", array->type);
    array->dimensions = 0, array->size = 1;
    for (char *at = strchr(header, '(') + 1; *at != ')';) {
        if (*at < '0' || *at > '9') { at++; continue; }
        array->shape[array->dimensions] = strtol(at, &at, 10);
        array->size *= array->shape[array->dimensions++];
    }
    free(header);
    int width = array->type[2] - '0';
    unsigned char *bytes = malloc(array->size * width + 1);
    size_t got = fread(bytes, width, array->size, file);
    array->values = malloc(array->size * sizeof(double) + 1);
    for (long i = 0; i < array->size; i++) array->values[i] = element(array->type, bytes + i * width);
    free(bytes);
    fclose(file);
    return got == (size_t)array->size;
}

static void write_array(const char *path, const char *type, int dimensions, const long *shape, const double *values)
{
    char header[512] = "", sizes[256] = "";
    long size = 1;
    for (int i = 0; i < dimensions; i++) {
        size *= shape[i];
        sprintf(sizes + strlen(sizes), "%ld,", shape[i]);
    }
    sprintf(header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, sizes);
    int length = (int)strlen(header), padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    FILE *file = fopen(path, "wb");
    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc(padded & 255, file), fputc(padded >> 8, file);
    fprintf(file, "%-*s\n", padded - 1, header);
    for (long i = 0; i < size; i++) {
        float single = (float)values[i];
        uint16_t word = encoded(values[i], strcmp(type, "<f2") ? BRAIN : HALF);
        if (type[2] == '8') fwrite(&values[i], 8, 1, file);
        else if (type[2] == '4') fwrite(&single, 4, 1, file);
        else fwrite(&word, 2, 1, file);
    }
    fclose(file);
}

/* --- requests: flat JSON objects, as xent writes them ---------------------------------------------------------- */

static const char *member(const char *line, const char *name)
{
    char key[64];
    sprintf(key, "\"%s\": ", name);
    const char *at = strstr(line, key);
    return at ? at + strlen(key) : "";
}

static int text(const char *line, const char *name, char *into, size_t room)
{
    const char *at = member(line, name);
    size_t length = 0;
    if (*at++ != '"') return 0;
    while (*at && *at != '"' && length + 1 < room) {
        if (*at == '\\') at++;
        into[length++] = *at++;
    }
    into[length] = 0;
    return 1;
}

/* --- the loss -------------------------------------------------------------------------------------------------- */

typedef struct {
    Array logits, target, weight, upstream;
    int has_weight, has_upstream, has_labels, wants_gradient;
    long ignore_index;
    double smoothing;
    char reduction[8];
} Call;

static double weight_of(const Call *call, long class) { return call->has_weight ? call->weight.values[class] : 1.0; }

/* Fills losses[N] and, scaled by 1, gradient[size of logits]; gives the mean's divisor, or -1 for a label out of range. */
static double compute(const Call *call, long outer, long classes, long inner, double *losses, double *gradient)
{
    double divisor = 0.0, spread = call->smoothing / (double)classes;
    for (long sample = 0; sample < outer * inner; sample++) {
        const double *x = call->logits.values + sample / inner * classes * inner + sample % inner;
        const double *q = call->target.values + sample / inner * classes * inner + sample % inner;
        long label = call->has_labels ? (long)call->target.values[sample] : 0;
        int counted = !call->has_labels || label != call->ignore_index;
        losses[sample] = 0.0;
        if (counted && call->has_labels && (label < 0 || label >= classes)) return -1.0;
        double greatest = -INFINITY, total = 0.0, sum = 0.0;
        for (long c = 0; c < classes; c++) greatest = isnan(x[c * inner]) ? NAN : fmax(greatest, x[c * inner]);
        for (long c = 0; c < classes; c++) total += exp(x[c * inner] - greatest);
        double log_sum = log(total);
        for (int pass = 0; pass < 2 && counted; pass++)
            for (long c = 0; c < classes; c++) {
                double target = call->has_labels ? (double)(c == label) : q[c * inner];
                double share = weight_of(call, c) * ((1.0 - call->smoothing) * target + spread);
                double minus_log = log_sum + (greatest - x[c * inner]);
                if (pass) gradient[x - call->logits.values + c * inner] = sum * exp(-minus_log) - share;
                else if (sum += share, share != 0.0 || !call->has_labels) losses[sample] += share * minus_log;
            }
        divisor += !counted ? 0.0 : call->has_labels ? weight_of(call, label) : 1.0;
    }
    return divisor;
}

/* Whether the target has the logits' shape, for labels without the class axis. */
static int fits(const Call *call, int axis)
{
    int at = 0;
    for (int i = 0; i < call->logits.dimensions; i++) {
        if (call->has_labels && i == axis) continue;
        if (at >= call->target.dimensions || call->target.shape[at++] != call->logits.shape[i]) return 0;
    }
    return at == call->target.dimensions;
}

static void answer(const char *line, Call *call)
{
    char loss_path[4096] = "", gradient_path[4096] = "";
    Array *x = &call->logits;
    int axis = x->dimensions > 1;
    long outer = axis ? x->shape[0] : 1, classes = x->shape[axis], inner = 1, shape[MOST_DIMENSIONS];
    for (int i = axis + 1; i < x->dimensions; i++) inner *= x->shape[i];
    for (int i = 0, to = 0; i < x->dimensions; i++) if (i != axis) shape[to++] = x->shape[i];
    double *losses = calloc(outer * inner + 1, sizeof(double)), *gradient = calloc(x->size + 1, sizeof(double));
    double divisor = fits(call, axis) ? compute(call, outer, classes, inner, losses, gradient) : -1.0;
    int reduced = strcmp(call->reduction, "none"), mean = !strcmp(call->reduction, "mean");
    if (divisor < 0.0) {
        printf("{\"id\": %ld, \"error\": \"a label is out of range, or the target of another shape\"}\n", strtol(member(line, "id"), NULL, 10));
    } else {
        double total = 0.0, scale = mean ? 1.0 / divisor : 1.0;
        for (long i = 0; i < outer * inner; i++) total += losses[i];
        total = mean ? total / divisor : total;
        for (long i = 0; i < x->size; i++) {
            long sample = i / (classes * inner) * inner + i % inner;
            gradient[i] *= scale * (call->has_upstream ? call->upstream.values[reduced ? 0 : sample] : 1.0);
        }
        text(line, "loss", loss_path, sizeof loss_path), text(line, "gradient", gradient_path, sizeof gradient_path);
        write_array(loss_path, x->type, reduced ? 0 : x->dimensions - 1, shape, reduced ? &total : losses);
        write_array(gradient_path, x->type, x->dimensions, x->shape, gradient);
        printf("{\"id\": %ld, \"loss\": \"%s\", \"gradient\": \"%s\"}\n",
               strtol(member(line, "id"), NULL, 10), loss_path, gradient_path);
    }
    fflush(stdout);
    free(losses), free(gradient);
}

int main(void)
{
    static char line[1 << 16], path[4096];
    while (fgets(line, sizeof line, stdin)) {
        Call call = {0};
        if (!text(line, "logits", path, sizeof path) || !read_array(path, &call.logits)) return 2;
        if (!text(line, "target", path, sizeof path) || !read_array(path, &call.target)) return 2;
        call.has_weight = text(line, "weight", path, sizeof path) && read_array(path, &call.weight);
        call.has_upstream = text(line, "upstream", path, sizeof path) && read_array(path, &call.upstream);
        text(line, "target_kind", path, sizeof path);
        call.has_labels = !strcmp(path, "labels");
        text(line, "reduction", call.reduction, sizeof call.reduction);
        call.ignore_index = strtol(member(line, "ignore_index"), NULL, 10);
        call.smoothing = strtod(member(line, "label_smoothing"), NULL);
        answer(line, &call);
        free(call.logits.values), free(call.target.values), free(call.weight.values), free(call.upstream.values);
    }
    return 0;
}
