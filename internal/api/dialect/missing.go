package dialect

import (
	"maps"
	"reflect"
	"slices"
)

// Missing names what a dialect leaves out, by field, with every code that has no status.
func (d Dialect) Missing() []string {
	missing := unset(reflect.ValueOf(d), "")
	for _, code := range slices.Sorted(maps.Keys(Statuses)) {
		if d.Statuses[code] == 0 {
			missing = append(missing, "Statuses["+string(code)+"]")
		}
	}
	return missing
}

// nothing are the values that say that a contract has nothing of a kind.
var nothing = []any{NoScopes, NoQuota, NoCORS}

// unset lists the exported fields that are zero and may not be, also inside structs.
func unset(v reflect.Value, within string) (names []string) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		_, mayBeZero := field.Tag.Lookup("zero")
		switch {
		case !field.IsExported(), mayBeZero:
		case value.IsZero():
			names = append(names, within+field.Name)
		case value.Kind() == reflect.Pointer && !slices.Contains(nothing, value.Interface()):
			names = append(names, unset(value.Elem(), field.Name+".")...)
		case value.Kind() == reflect.Struct:
			names = append(names, unset(value, field.Name+".")...)
		}
	}
	return names
}
