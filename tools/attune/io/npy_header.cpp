#include "tools/attune/io/npy_header.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace attune::io {
namespace {

constexpr std::size_t highest_rank = 64;  // NumPy's own limit

struct NamedType {
  std::string_view code;  // without the byte order
  DType dtype;
};
constexpr std::array<NamedType, 7> types{{{"f4", DType::f32},
                                          {"f2", DType::f16},
                                          {"f8", DType::f64},
                                          {"b1", DType::boolean},
                                          {"u1", DType::u8},
                                          {"i4", DType::i32},
                                          {"i8", DType::i64}}};

[[noreturn]] void refuse(const std::string& fault) { throw Error(ErrorCode::io, fault); }

DType dtype_of(std::string_view descr) {
  if (descr.starts_with('>')) refuse("dtype " + in_quotes(descr) + " is big-endian, little-endian is needed");
  for (const NamedType& type : types) {
    if (!descr.ends_with(type.code) || descr.size() != 1 + type.code.size()) continue;
    if (descr[0] == '<' || (descr[0] == '|' && size_of(type.dtype) == 1)) return type.dtype;
  }
  std::string hint;
  if (descr.ends_with("V2")) hint = "; bf16 has no name in .npy, store it as .safetensors";
  refuse("dtype " + in_quotes(descr) + " is not read here, which takes f2, f4, f8, bool, i4, i8 and u1" + hint);
}

/// Reads the few Python literals that a header is made of, from left to right.
class Literals {
 public:
  explicit Literals(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    skip_space();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char wanted) {
    if (!take(wanted)) refuse_here(std::string("'") + wanted + "'");
  }

  std::string_view string() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) refuse_here("a quoted word");
    const std::size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) refuse_here("a closing quote");
    const std::string_view word = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return word;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    refuse_here("True or False");
  }

  std::int64_t size() {
    skip_space();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error == std::errc::result_out_of_range) refuse("shape has a size beyond 64 bits");
    if (error != std::errc() || value < 0) refuse_here("a size");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    take('L');  // Python 2 wrote long integers this way
    return value;
  }

  Shape tuple() {
    Shape sizes;
    expect('(');
    while (!take(')')) {
      if (sizes.size() == highest_rank) refuse("shape has more than " + std::to_string(highest_rank) + " sizes");
      sizes.push_back(size());
      if (!take(',')) {
        if (sizes.size() == 1) refuse_here("',' (a tuple of one size)");
        expect(')');
        break;
      }
    }
    return sizes;
  }

  void expect_end() {
    skip_space();
    if (!rest_.empty()) refuse_here("the end of the header");
  }

 private:
  void skip_space() {
    const std::size_t start = rest_.find_first_not_of(" \t\n");
    rest_.remove_prefix(start == std::string_view::npos ? rest_.size() : start);
  }

  [[noreturn]] void refuse_here(const std::string& wanted) const {
    refuse("header is malformed: " + wanted + " should stand " +
           (rest_.empty() ? std::string("at its end") : "where " + in_quotes(rest_.substr(0, 20)) + " is"));
  }

  std::string_view rest_;
};

template <typename T>
void set_once(std::optional<T>& field, T value, std::string_view key) {
  if (field) refuse("header has " + in_quotes(key) + " twice");
  field = std::move(value);
}

template <typename T>
T required(std::optional<T>& field, std::string_view key) {
  if (!field) refuse("header has no " + in_quotes(key));
  return std::move(*field);
}

}  // namespace

NpyHeader parse_npy_header(std::string_view header) {
  std::optional<std::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
  Literals literals(header);
  literals.expect('{');
  while (!literals.take('}')) {
    const std::string_view key = literals.string();
    literals.expect(':');
    if (key == "descr") {
      if (literals.take('[')) refuse("holds a structured array, one of plain numbers is needed");
      set_once(descr, literals.string(), key);
    } else if (key == "fortran_order") {
      set_once(fortran_order, literals.boolean(), key);
    } else if (key == "shape") {
      set_once(shape, literals.tuple(), key);
    } else {
      refuse("header has an unknown key " + in_quotes(key));
    }
    if (!literals.take(',')) {
      literals.expect('}');
      break;
    }
  }
  literals.expect_end();
  const DType dtype = dtype_of(required(descr, "descr"));
  if (required(fortran_order, "fortran_order")) {
    refuse("is in Fortran order, C order is needed (numpy.ascontiguousarray makes it)");
  }
  return {dtype, required(shape, "shape")};
}

std::string npy_descr(DType dtype) {
  for (const NamedType& type : types) {
    if (type.dtype == dtype) return (size_of(dtype) == 1 ? "|" : "<") + std::string(type.code);
  }
  throw Error(ErrorCode::invalid_argument,
              std::string(".npy has no name for ") + name(dtype) + "; give the file a name that ends in .safetensors");
}

}  // namespace attune::io
