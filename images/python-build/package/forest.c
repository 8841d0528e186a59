/* A forest of decision trees in flat arrays, walked in C: the package is published as source, so pip needs a compiler. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

static PyObject *walk(PyObject *self, PyObject *args)
{
    Py_buffer b[7];
    Py_ssize_t width;
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &width))
        return NULL;
    const int32_t *feature = b[0].buf, *left = b[2].buf, *right = b[3].buf, *root = b[5].buf;
    const double *threshold = b[1].buf, *share = b[4].buf;
    const float *rows = b[6].buf;
    Py_ssize_t trees = b[5].len / (Py_ssize_t)sizeof(int32_t);
    Py_ssize_t count = width > 0 ? b[6].len / (Py_ssize_t)sizeof(float) / width : 0;

    if ((result = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(double)))) {
        double *out = (double *)PyBytes_AS_STRING(result);
        for (Py_ssize_t i = 0; i < count; i++) {
            double sum = 0;
            for (Py_ssize_t t = 0; t < trees; t++) {
                int32_t node = root[t];
                while (left[node] >= 0)
                    node = rows[i * width + feature[node]] <= threshold[node] ? left[node] : right[node];
                sum += share[node];
            }
            out[i] = sum / (double)trees;
        }
    }
    for (int i = 0; i < 7; i++)
        PyBuffer_Release(&b[i]);
    return result;
}

static PyMethodDef methods[] = {{"walk", walk, METH_VARARGS, "Shares of the rows, as bytes of doubles."}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "forest", NULL, -1, methods};

PyMODINIT_FUNC PyInit_forest(void)
{
    return PyModule_Create(&module);
}
