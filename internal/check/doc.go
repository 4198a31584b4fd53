// Package check gathers what is wrong with a request, by field, and cleans and bounds the
// words that came from outside. What only one domain knows stays there, as functions over
// Problems.
package check
