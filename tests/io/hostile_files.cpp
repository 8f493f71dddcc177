#include "tests/io/hostile_files.hpp"

#include "tests/io/tensor_bytes.hpp"

namespace attune::test {

std::vector<HostileFile> hostile_npy_files() {
  const std::string good = npy_file(npy_dict("<f4", "(1,)"), "abcd");
  const auto with_header = [](std::string_view header) { return npy_file(header, "abcd"); };
  const auto with_shape = [](std::string_view shape) { return npy_file(npy_dict("<f4", shape), "abcd"); };
  const auto with_descr = [](std::string_view descr) { return npy_file(npy_dict(descr, "(1,)"), "abcd"); };
  std::string deep = "(";
  for (int i = 0; i < 100; ++i) deep += "1, ";
  return {
      {"empty", "", "is empty"},
      {"half of the magic", good.substr(0, 4), "ends too early"},
      {"another format", std::string(200, 'x'), "does not start with"},
      {"version 4", npy_file(npy_dict("<f4", "(1,)"), "abcd", 4), "version 4.0"},
      {"version 0", npy_file(npy_dict("<f4", "(1,)"), "abcd", 0), "version 0.0"},
      {"cut in the length", good.substr(0, 9), "ends too early"},
      {"cut in the header", good.substr(0, 40), "ends within its header"},
      {"header beyond the file", "\x93NUMPY\x02" + std::string(1, '\0') + "\xff\xff\xff\xff" + good,
       "ends within its header"},
      {"cut in the elements", good.substr(0, good.size() - 1), "ends too early"},
      {"no elements", good.substr(0, good.size() - 4), "ends too early"},
      {"trailing garbage", good + "x", "bytes after its elements"},
      {"Fortran order", with_header("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }"), "Fortran order"},
      {"big-endian", with_descr(">f4"), "big-endian"},
      {"native without a name", with_descr("=f4"), "is not read here"},
      {"complex", with_descr("<c8"), "is not read here"},
      {"unsigned 32", with_descr("<u4"), "is not read here"},
      {"bf16 as NumPy has it", with_descr("<V2"), ".safetensors"},
      {"structured", with_header("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
       "structured array"},
      {"Python object", with_descr("|O"), "is not read here"},
      {"negative size", with_shape("(-1,)"), "a size"},
      {"size beyond 64 bits", with_shape("(99999999999999999999,)"), "beyond 64 bits"},
      {"elements overflow", with_shape("(4294967296, 4294967296)"), "more elements than 64 bits"},
      {"bytes overflow", with_shape("(4611686018427387904,)"), "more bytes than 64 bits"},
      {"overflow behind a 0", with_shape("(0, 4294967296, 4294967296)"), "more elements than 64 bits"},
      {"far more than the file", with_shape("(1099511627776,)"), "ends too early"},
      {"tuple without a comma", with_shape("(1)"), "tuple of one"},
      {"list for a tuple", with_shape("[1]"), "'('"},
      {"too many sizes", with_shape(deep + ")"), "more than 64"},
      {"endless tuple", with_shape("(1, "), "a size"},
      {"float for a size", with_shape("(1.0,)"), "','"},
      {"no shape", with_header("{'descr': '<f4', 'fortran_order': False, }"), "no \"shape\""},
      {"no descr", with_header("{'fortran_order': False, 'shape': (1,), }"), "no \"descr\""},
      {"no order", with_header("{'descr': '<f4', 'shape': (1,), }"), "no \"fortran_order\""},
      {"two shapes", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (2,), }"), "twice"},
      {"unknown key", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': (2,), }"),
       "unknown key"},
      {"no dictionary", with_header("42"), "'{'"},
      {"unclosed dictionary", with_header("{'descr': '<f4'"), "'}'"},
      {"unclosed quote", with_header("{'descr: "), "closing quote"},
      {"words after the dictionary", with_header(npy_dict("<f4", "(1,)") + " import os"), "end of the header"},
      {"order is a number", with_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }"), "True or False"},
      {"non-ASCII header", with_header("{'descr': '<f4', 'fortran_order': False, 'sh\xc3\xa4pe': (1,), }"),
       "unknown key"},
      {"terminal escapes in the header", with_header("{'\x1b[2J': 1}"), "\\x1b[2J"},
      {"a bool that is 2", npy_file(npy_dict("|b1", "(1,)"), "\2"), "must be 0 or 1"},
  };
}

std::vector<HostileFile> hostile_safetensors_files() {
  const std::string t = safetensors_entry("t", "F32", "[1]", "[0,4]");
  const std::string good = safetensors_file(object(t), "abcd");
  const auto with_header = [](std::string_view header) { return safetensors_file(header, "abcd"); };
  const auto with_entry = [&](std::string_view members) { return with_header(object(members)); };
  std::string list = "[0";
  for (int i = 0; i < 1000; ++i) list += ",0";
  return {
      {"empty", "", "is empty"},
      {"cut in the length", good.substr(0, 7), "ends too early"},
      {"cut in the header", good.substr(0, 20), "cut short"},
      {"header beyond the file", little_endian(1000, 8) + "{}", "cut short"},
      {"header beyond 64 bits", std::string(8, '\xff') + "{}", "cut short"},
      {"another format", "\x93NUMPY and so on", "is not a .safetensors file"},
      {"empty header", safetensors_file("", ""), "not valid JSON"},
      {"no JSON", with_header("hello"), "not valid JSON"},
      {"two values", with_header("{}{}"), "not valid JSON"},
      {"unclosed", with_header("{\"t\":"), "not valid JSON"},
      {"invalid UTF-8", with_entry("\"\xff\":{}"), "not valid JSON"},
      {"control characters", with_entry("\"\x1b[2J\n\":{}"), "not valid JSON"},
      {"a list", with_header("[]"), "not a JSON object"},
      {"deep nesting of lists", with_header(std::string(100000, '[')), "nested too deeply"},
      {"deep nesting of objects", with_entry("\"a\":{\"b\":{\"c\":{\"d\":{}}}}"), "nested too deeply"},
      {"long list", with_entry(safetensors_entry("t", "F32", list + "]", "[0,4]")), "list of more than"},
      {"tensor twice", with_entry(t + "," + t), "twice"},
      {"shape twice", with_entry("\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}"),
       "twice"},
      {"metadata twice", with_entry("\"__metadata__\":{},\"__metadata__\":{}," + t), "twice"},
      {"metadata of numbers", with_entry("\"__metadata__\":{\"a\":1}," + t), "is not a string"},
      {"metadata is a list", with_entry("\"__metadata__\":[]," + t), "__metadata__ is not an object"},
      {"entry is a number", with_entry("\"t\":1"), "not described by an object"},
      {"no dtype", with_entry("\"t\":{\"shape\":[1],\"data_offsets\":[0,4]}"), "no \"dtype\""},
      {"no shape", with_entry("\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}"), "no \"shape\""},
      {"no offsets", with_entry("\"t\":{\"dtype\":\"F32\",\"shape\":[1]}"), "no \"data_offsets\""},
      {"dtype is a number", with_entry("\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}"), "not a string"},
      {"shape is a number", with_entry(safetensors_entry("t", "F32", "1", "[0,4]")), "not a list"},
      {"negative size", with_entry(safetensors_entry("t", "F32", "[-1]", "[0,4]")), "other than sizes"},
      {"fraction", with_entry(safetensors_entry("t", "F32", "[1.5]", "[0,4]")), "other than sizes"},
      {"exponent", with_entry(safetensors_entry("t", "F32", "[1e0]", "[0,4]")), "other than sizes"},
      {"text for a size", with_entry(safetensors_entry("t", "F32", "[\"1\"]", "[0,4]")), "other than sizes"},
      {"64 bits", with_entry(safetensors_entry("t", "F32", "[18446744073709551615]", "[0,4]")), "other than sizes"},
      {"more than 64 bits", with_entry(safetensors_entry("t", "F32", "[99999999999999999999]", "[0,4]")),
       "other than sizes"},
      {"elements overflow", with_entry(safetensors_entry("t", "F32", "[4294967296,4294967296]", "[0,4]")),
       "64 bits can count"},
      {"overflow of a type not read", with_entry(safetensors_entry("t", "X9", "[4294967296,4294967296]", "[0,4]")),
       "64 bits can count"},
      {"bytes overflow", with_entry(safetensors_entry("t", "F64", "[2305843009213693952]", "[0,4]")),
       "64 bits can count"},
      {"one offset", with_entry(safetensors_entry("t", "F32", "[1]", "[4]")), "must be two"},
      {"three offsets", with_entry(safetensors_entry("t", "F32", "[1]", "[0,4,4]")), "must be two"},
      {"end before begin", with_entry(safetensors_entry("t", "F32", "[1]", "[4,0]")), "lie outside"},
      {"end beyond the file", with_entry(safetensors_entry("t", "F32", "[2]", "[0,8]")), "lie outside"},
      {"begin beyond the file",
       with_entry(safetensors_entry("t", "F32", "[0]", "[9223372036854775807,9223372036854775807]")), "lie outside"},
      {"shape larger than the bytes", with_entry(safetensors_entry("t", "F32", "[2]", "[0,4]")), "takes 8 bytes"},
      {"shape smaller than the bytes", with_entry(safetensors_entry("t", "F16", "[1]", "[0,4]")), "takes 2 bytes"},
      {"overlap",
       with_entry(safetensors_entry("a", "U8", "[3]", "[0,3]") + "," + safetensors_entry("b", "U8", "[2]", "[2,4]")),
       "overlaps"},
      {"the same bytes twice",
       with_entry(safetensors_entry("a", "F32", "[1]", "[0,4]") + "," + safetensors_entry("b", "F32", "[1]", "[0,4]")),
       "overlaps"},
      {"hole at the start", with_entry(safetensors_entry("t", "U8", "[2]", "[2,4]")), "hole of 2 bytes"},
      {"hole between",
       with_entry(safetensors_entry("a", "U8", "[1]", "[0,1]") + "," + safetensors_entry("b", "U8", "[1]", "[3,4]")),
       "hole of 2 bytes"},
      {"trailing garbage", good + "x", "after its last tensor"},
      {"elements of no tensor", with_header("{}"), "after its last tensor"},
  };
}

}  // namespace attune::test
